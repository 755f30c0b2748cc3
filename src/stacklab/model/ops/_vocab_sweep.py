"""Sweeps over the vocabulary of a linear head, one cache-sized tile at a time.

Buffers are vocabulary-major (`exp_VR`): a tile is contiguous, and both gradient products read it without a copy.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

TILE_V = 4096
# In this range a sum of exponentials neither overflowed nor underflowed, so no shift by the maximum was needed.
_SAFE_SUM = (1e-20, 1e20)


class Exponentials(NamedTuple):
    """Per row: the sum of exp(logit - shift), the shift, and the same sum with each term times its row of the head."""

    sum_R: Tensor
    shift_R: Tensor
    weighted_RD: Tensor

    def log_normaliser_R(self) -> Tensor:
        """log of the sum of exp(logit), in float64."""
        return self.sum_R.double().log() + self.shift_R


def exponentials(x_RD: Tensor, weight_VD: Tensor, exp_VR: Tensor) -> Exponentials:
    """Fill `exp_VR` with exp(logit - shift) and return its sums.

    The shift is zero unless the sum of some row leaves the safe range; then it is the largest logit of each row, at
    the price of two more sweeps.
    """
    shift_R = x_RD.new_zeros(x_RD.shape[0])
    sum_R, weighted_RD = _sums(x_RD, weight_VD, exp_VR, None)
    if not _is_safe(sum_R):
        shift_R = _largest_logit_R(x_RD, weight_VD)
        sum_R, weighted_RD = _sums(x_RD, weight_VD, exp_VR, shift_R)
    return Exponentials(sum_R, shift_R, weighted_RD)


def log_normaliser_R(x_RD: Tensor, weight_VD: Tensor) -> Tensor:
    """log of the sum of exp(logit) per row, in float64; holds one tile at a time."""
    sum_R = _sum_of_exp_R(x_RD, weight_VD, None)
    if _is_safe(sum_R):
        return sum_R.double().log()
    shift_R = _largest_logit_R(x_RD, weight_VD)
    return _sum_of_exp_R(x_RD, weight_VD, shift_R).double().log() + shift_R


def add_weight_gradient(grad_weight_VD: Tensor, grad_logit_VR: Tensor, x_RD: Tensor, *, overwrite: bool) -> None:
    """grad_weight += grad_logit @ x, tile by tile; `overwrite` saves the first chunk a fill with zeros."""
    for tile in _tiles(grad_weight_VD.shape[0]):
        if overwrite:
            torch.mm(grad_logit_VR[tile], x_RD, out=grad_weight_VD[tile])
        else:
            grad_weight_VD[tile].addmm_(grad_logit_VR[tile], x_RD)


def _sums(x_RD: Tensor, weight_VD: Tensor, exp_VR: Tensor, shift_R: Tensor | None) -> tuple[Tensor, Tensor]:
    sum_R, weighted_RD = x_RD.new_zeros(x_RD.shape[0]), torch.zeros_like(x_RD)
    for tile, exp_vR in _exp_tiles(x_RD, weight_VD, exp_VR, shift_R):
        sum_R += exp_vR.sum(0)
        weighted_RD.addmm_(exp_vR.t(), weight_VD[tile])
    return sum_R, weighted_RD


def _sum_of_exp_R(x_RD: Tensor, weight_VD: Tensor, shift_R: Tensor | None) -> Tensor:
    sum_R = x_RD.new_zeros(x_RD.shape[0])
    for _, exp_vR in _exp_tiles(x_RD, weight_VD, _one_tile(x_RD, weight_VD), shift_R):
        sum_R += exp_vR.sum(0)
    return sum_R


def _exp_tiles(
    x_RD: Tensor, weight_VD: Tensor, out_VR: Tensor, shift_R: Tensor | None
) -> Iterator[tuple[slice, Tensor]]:
    """Tiles of exp(logit - shift), written into `out_VR`, which holds the whole vocabulary or one tile of it."""
    for tile, logit_vR in _logit_tiles(x_RD, weight_VD, out_VR):
        if shift_R is not None:
            logit_vR.sub_(shift_R)
        yield tile, logit_vR.exp_()


def _logit_tiles(x_RD: Tensor, weight_VD: Tensor, out_VR: Tensor) -> Iterator[tuple[slice, Tensor]]:
    holds_all = out_VR.shape[0] == weight_VD.shape[0]
    for tile in _tiles(weight_VD.shape[0]):
        out_vR = out_VR[tile] if holds_all else out_VR[: tile.stop - tile.start]
        yield tile, torch.mm(weight_VD[tile], x_RD.t(), out=out_vR)


def _largest_logit_R(x_RD: Tensor, weight_VD: Tensor) -> Tensor:
    tiles = _logit_tiles(x_RD, weight_VD, _one_tile(x_RD, weight_VD))
    return torch.stack([logit_vR.amax(0) for _, logit_vR in tiles]).amax(0)


def _one_tile(x_RD: Tensor, weight_VD: Tensor) -> Tensor:
    return x_RD.new_empty(min(TILE_V, weight_VD.shape[0]), x_RD.shape[0])


def _tiles(vocab: int) -> Iterator[slice]:
    for start in range(0, vocab, TILE_V):
        yield slice(start, min(start + TILE_V, vocab))


def _is_safe(sum_R: Tensor) -> bool:
    low, high = _SAFE_SUM
    return bool(((sum_R > low) & (sum_R < high)).all())
