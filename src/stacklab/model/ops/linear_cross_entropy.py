"""Cross-entropy of a linear head without ever holding the full logits.

The head of a large vocabulary costs three matrix products and, in the plain implementation, many passes over
logits that fit in no cache. Here rows are processed in chunks and, within a chunk, the vocabulary in tiles, which stay
in the cache from the product that computes them to the product for the gradient of x. The gradient of the weight
needs the normaliser of the whole row, hence a second sweep over the chunk. Gradients are computed in the forward pass,
while the chunk is in memory. Buffers are vocabulary-major (`exp_VR`): a tile is contiguous, and both gradient products
read it without a copy. This is for CPUs in fp32 and fp64; `chunked_loss` computes the rest.

Beside it stands the lookup in a table that is also the head.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from stacklab.model.ops import chunked_loss
from stacklab.model.ops.piece_size import loss_rows

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


IGNORE_INDEX = -100


def linear_cross_entropy(
    x_ND: Tensor, weight_VD: Tensor, target_N: Tensor, *, chunk_rows: int = 512, dtype: torch.dtype | None = None
) -> Tensor:
    """Mean over targets of `cross_entropy(x_ND @ weight_VD.T, target_N)`, a scalar in nats per target.

    Rows whose target is IGNORE_INDEX are left out of the mean; when every row is, the loss is nan and the gradients
    are zero. `backward` may be called once only, without `create_graph`.

    dtype: of the products; None: that of `x_ND`. Softmax and sums are in fp32 at least, gradients in the format of
    their tensors. chunk_rows: rows of logits at a time; `piece_size.loss_rows` raises it on cards.

    Raises:
        RuntimeError: from `backward`, when it is called a second time.
    """
    dtype = dtype or x_ND.dtype
    if not (torch.is_grad_enabled() and (x_ND.requires_grad or weight_VD.requires_grad)):
        loss_N = linear_cross_entropy_rows(x_ND, weight_VD, target_N, chunk_rows=chunk_rows, dtype=dtype)
        return loss_N.sum() / (target_N != IGNORE_INDEX).sum()
    if not _has_own_path(x_ND, weight_VD, dtype):
        return chunked_loss.mean_loss(*_chunked_arguments(x_ND, weight_VD, target_N, chunk_rows), dtype)
    loss: Tensor = _LinearCrossEntropy.apply(x_ND, weight_VD, target_N, chunk_rows)  # type: ignore[no-untyped-call]
    return loss


@torch.no_grad()
def linear_cross_entropy_rows(
    x_ND: Tensor, weight_VD: Tensor, target_N: Tensor, *, chunk_rows: int = 512, dtype: torch.dtype | None = None
) -> Tensor:
    """The loss of each row in nats, fp32 at least, without gradients; 0 where the target is IGNORE_INDEX.

    Arguments as of `linear_cross_entropy`.
    """
    dtype = dtype or x_ND.dtype
    if not _has_own_path(x_ND, weight_VD, dtype):
        return chunked_loss.row_losses(*_chunked_arguments(x_ND, weight_VD, target_N, chunk_rows), dtype)
    loss_N = x_ND.new_empty(x_ND.shape[0])
    for rows in _row_chunks(x_ND.shape[0], chunk_rows):
        x_RD, target_R = x_ND[rows], target_N[rows]
        loss_R = log_normaliser_R(x_RD, weight_VD) - _target_logit_R(x_RD, weight_VD[target_R.clamp(min=0)])
        loss_N[rows] = loss_R.masked_fill(target_R == IGNORE_INDEX, 0.0)
    return loss_N


def _has_own_path(x_ND: Tensor, weight_VD: Tensor, dtype: torch.dtype) -> bool:
    formats = {x_ND.dtype, weight_VD.dtype, dtype}
    return x_ND.device.type == "cpu" and formats in ({torch.float32}, {torch.float64})


def _chunked_arguments(
    x_ND: Tensor, weight_VD: Tensor, target_N: Tensor, chunk_rows: int
) -> tuple[Tensor, Tensor, Tensor, Tensor, int]:
    kept_N = target_N != IGNORE_INDEX
    num_rows, vocab = x_ND.shape[0], weight_VD.shape[0]
    rows = loss_rows(num_rows, chunk_rows=chunk_rows, vocab=vocab, device_type=x_ND.device.type)
    return x_ND, weight_VD, target_N.masked_fill(~kept_N, 0), kept_N, rows


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_ND: Tensor, weight_VD: Tensor, target_N: Tensor, chunk_rows: int) -> Tensor:
        kept_N = target_N != IGNORE_INDEX
        if bool(kept_N.all()):
            loss, grad_x_ND, grad_weight_VD = _loss_and_gradients(x_ND, weight_VD, target_N, chunk_rows)
        else:
            loss, grad_kept_MD, grad_weight_VD = _loss_and_gradients(
                x_ND[kept_N], weight_VD, target_N[kept_N], chunk_rows
            )
            grad_x_ND = torch.zeros_like(x_ND).index_put_((kept_N,), grad_kept_MD)
        ctx.gradients = (grad_x_ND, grad_weight_VD)
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_loss: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        if ctx.gradients is None:
            raise RuntimeError(
                "linear_cross_entropy: backward called twice, but its gradients are kept for one call only"
            )
        grad_x_ND, grad_weight_VD = ctx.gradients
        # Dropping them here makes the receiver their only owner, which saves a copy of hundreds of megabytes.
        ctx.gradients = None
        if grad_loss.item() != 1.0:
            grad_x_ND.mul_(grad_loss)
            grad_weight_VD.mul_(grad_loss)
        needs_x, needs_weight = ctx.needs_input_grad[:2]
        return grad_x_ND if needs_x else None, grad_weight_VD if needs_weight else None, None, None


def _loss_and_gradients(
    x_ND: Tensor, weight_VD: Tensor, target_N: Tensor, chunk_rows: int
) -> tuple[Tensor, Tensor, Tensor]:
    num_rows, vocab = x_ND.shape[0], weight_VD.shape[0]
    if num_rows == 0:
        return x_ND.new_full((), torch.nan), torch.zeros_like(x_ND), torch.zeros_like(weight_VD)
    grad_x_ND, grad_weight_VD = torch.empty_like(x_ND), torch.empty_like(weight_VD)
    buffer = x_ND.new_empty(vocab * min(chunk_rows, num_rows))
    loss = torch.zeros((), dtype=torch.float64)
    for rows in _row_chunks(num_rows, chunk_rows):
        x_RD, target_R, weight_RD = x_ND[rows], target_N[rows], weight_VD[target_N[rows]]
        exp_VR = buffer[: vocab * len(target_R)].view(vocab, -1)
        sums = exponentials(x_RD, weight_VD, exp_VR)
        loss += (sums.log_normaliser_R() - _target_logit_R(x_RD, weight_RD)).sum()
        per_row_R1 = (num_rows * sums.sum_R).reciprocal().unsqueeze(1)
        grad_x_ND[rows] = (sums.weighted_RD * per_row_R1).sub_(weight_RD, alpha=1 / num_rows)
        # In units of the row's sum, the gradient of the logits is exp, minus the whole sum at the target.
        exp_VR[target_R, torch.arange(len(target_R))] -= sums.sum_R
        add_weight_gradient(grad_weight_VD, exp_VR, x_RD * per_row_R1, overwrite=rows.start == 0)
    return (loss / num_rows).to(x_ND.dtype), grad_x_ND, grad_weight_VD


def _target_logit_R(x_RD: Tensor, weight_RD: Tensor) -> Tensor:
    return (x_RD * weight_RD).sum(1).double()


def _row_chunks(num_rows: int, chunk_rows: int) -> Iterator[slice]:
    for start in range(0, num_rows, chunk_rows):
        yield slice(start, min(start + chunk_rows, num_rows))


def tied_lookup(weight_VD: Tensor, ids_BT: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the rows x_BTD and the table for the head to use, which must be used in place of `weight_VD`.

    Plain autograd adds two dense gradients for a table that is also the head: one from the head, one from the lookup,
    which is zero except for the rows of this batch. Here the head's gradient passes through the lookup, and those rows
    are added to it in place. It overwrites the gradient that reaches the returned table, so nothing else may keep it.
    """
    if not (torch.is_grad_enabled() and weight_VD.requires_grad):
        return F.embedding(ids_BT, weight_VD), weight_VD
    rows_and_table: tuple[Tensor, Tensor] = _TiedLookup.apply(weight_VD, ids_BT)  # type: ignore[no-untyped-call]
    return rows_and_table


class _TiedLookup(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight_VD: Tensor, ids_BT: Tensor) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(ids_BT)
        ctx.vocab = weight_VD.shape[0]
        ctx.set_materialize_grads(False)
        return F.embedding(ids_BT, weight_VD), weight_VD.detach()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_x_BTD: Tensor | None, grad_weight_VD: Tensor | None) -> tuple[Tensor | None, None]:
        if grad_x_BTD is None:
            return grad_weight_VD, None
        (ids_BT,) = ctx.saved_tensors
        grad_x_ND = grad_x_BTD.flatten(0, -2)
        if grad_weight_VD is None:
            grad_weight_VD = grad_x_ND.new_zeros(ctx.vocab, grad_x_ND.shape[1])
        return grad_weight_VD.index_add_(0, ids_BT.flatten(), grad_x_ND.to(grad_weight_VD.dtype)), None
