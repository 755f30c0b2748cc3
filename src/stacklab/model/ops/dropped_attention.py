"""Causal attention with dropout on its probabilities, in pieces that fit the cache.

torch's kernel keeps several [B, H, T, T] tensors per layer once dropout is on. Here a piece (some heads, a block of
queries, and the keys which that block can see) is made, used and forgotten; the backward pass makes it again, mask
included. Nothing of size T x T is held, and blocks above the diagonal are never computed.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from stacklab.model.ops.masks import KeepMasks, as_numbers, kept_share

_QUERY_BLOCK = 128
_PIECE_ELEMENTS = 2**20


def dropped_attention(
    q_BHTK: Tensor, k_BHTK: Tensor, v_BHTK: Tensor, *, p: float, seed: int, window: int | None, scale: float
) -> Tensor:
    """`causal_attention` with dropout `p` > 0."""
    o_BHTK: Tensor = _DroppedAttention.apply(q_BHTK, k_BHTK, v_BHTK, p, seed, window, scale)  # type: ignore[no-untyped-call]
    return o_BHTK


class Piece(NamedTuple):
    """Where a piece lies in the scores [G, T, S], and the mask drawn for it. G counts the heads of all sequences."""

    heads: slice
    queries: slice
    keys: slice
    kept: Tensor


def pieces(shape_GT: Sequence[int], p: float, seed: int, window: int | None, device: torch.device) -> Iterator[Piece]:
    """The pieces of one attention call, with the same masks whenever it is called with the same arguments."""
    groups, size = shape_GT
    masks = KeepMasks(p, seed, device)
    # Other devices have no use for small pieces: they take all heads at once.
    heads = max(1, _PIECE_ELEMENTS // (_QUERY_BLOCK * size)) if device.type == "cpu" else groups
    for first in range(0, groups, heads):
        last = min(first + heads, groups)
        for start in range(0, size, _QUERY_BLOCK):
            stop = min(start + _QUERY_BLOCK, size)
            oldest = 0 if window is None else max(0, start - window + 1)
            kept = masks.draw((last - first, stop - start, stop - oldest))
            yield Piece(slice(first, last), slice(start, stop), slice(oldest, stop), kept)


class _DroppedAttention(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        q_BHTK: Tensor,
        k_BHTK: Tensor,
        v_BHTK: Tensor,
        p: float,
        seed: int,
        window: int | None,
        scale: float,
    ) -> Tensor:
        q_GTK, k_GTK, v_GTK = (each.flatten(0, 1) for each in (q_BHTK, k_BHTK, v_BHTK))
        o_GTK = torch.empty_like(v_GTK)
        for piece in pieces(q_GTK.shape[:2], p, seed, window, q_GTK.device):
            probability = _probabilities(q_GTK, k_GTK, piece, window, scale)
            probability.mul_(as_numbers(piece.kept, probability.dtype))
            o_GTK[piece.heads, piece.queries] = probability @ v_GTK[piece.heads, piece.keys]
        o_GTK.div_(kept_share(p))
        ctx.save_for_backward(q_BHTK, k_BHTK, v_BHTK, o_GTK)
        ctx.settings = (p, seed, window, scale)
        return o_GTK.view_as(q_BHTK)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_o_BHTK: Tensor) -> tuple[Tensor | None, ...]:
        p, seed, window, scale = ctx.settings
        *saved, o_GTK = ctx.saved_tensors
        q_GTK, k_GTK, v_GTK = (each.flatten(0, 1) for each in saved)
        # Scaling the incoming gradient once scales everything that dropout scaled in the forward pass.
        grad_o_GTK = grad_o_BHTK.flatten(0, 1) / kept_share(p)
        # Rows of softmax: d score = probability * (d probability - sum of probability * d probability), and that sum
        # equals o . d o, with or without dropout (Dao et al. 2022, appendix B.4).
        shift_GT1 = (grad_o_BHTK.flatten(0, 1) * o_GTK).sum(-1, keepdim=True)
        grads = tuple(torch.zeros_like(each) for each in (q_GTK, k_GTK, v_GTK))
        for piece in pieces(q_GTK.shape[:2], p, seed, window, q_GTK.device):
            _add_gradients(grads, (q_GTK, k_GTK, v_GTK), grad_o_GTK, shift_GT1, piece, window, scale)
        return *(grad.view_as(q_BHTK) for grad, q_BHTK in zip(grads, saved, strict=True)), None, None, None, None


def _add_gradients(
    grads: tuple[Tensor, ...],
    inputs: tuple[Tensor, ...],
    grad_o_GTK: Tensor,
    shift_GT1: Tensor,
    piece: Piece,
    window: int | None,
    scale: float,
) -> None:
    (q_GTK, k_GTK, v_GTK), (grad_q_GTK, grad_k_GTK, grad_v_GTK) = inputs, grads
    queries, keys = (piece.heads, piece.queries), (piece.heads, piece.keys)
    probability = _probabilities(q_GTK, k_GTK, piece, window, scale)
    kept = as_numbers(piece.kept, probability.dtype)
    grad_score = torch.bmm(grad_o_GTK[queries], v_GTK[keys].transpose(1, 2))
    grad_score.mul_(kept).sub_(shift_GT1[queries]).mul_(probability)
    dropped = kept.mul_(probability)
    grad_v_GTK[keys].baddbmm_(dropped.transpose(1, 2), grad_o_GTK[queries])
    grad_q_GTK[queries].baddbmm_(grad_score, k_GTK[keys], alpha=scale)
    grad_k_GTK[keys].baddbmm_(grad_score.transpose(1, 2), q_GTK[queries], alpha=scale)


def _probabilities(q_GTK: Tensor, k_GTK: Tensor, piece: Piece, window: int | None, scale: float) -> Tensor:
    q, k = q_GTK[piece.heads, piece.queries], k_GTK[piece.heads, piece.keys]
    score = torch.baddbmm(q.new_zeros(()), q, k.transpose(1, 2), beta=0, alpha=scale)
    rows = q.shape[1]
    if window is None:
        # Only the last columns hold positions that some query of the block must not see.
        score[..., -rows:] += torch.full((rows, rows), -torch.inf, dtype=q.dtype, device=q.device).triu_(1)
    else:
        query = torch.arange(piece.queries.start, piece.queries.stop, device=q.device)
        key = torch.arange(piece.keys.start, piece.keys.stop, device=q.device)
        age = query[:, None] - key
        score.masked_fill_((age < 0) | (age >= window), -torch.inf)
    return torch.softmax(score, -1, out=score)
