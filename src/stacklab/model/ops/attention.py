"""Masked attention: its formula, and the kernels that compute it: torch's, and our own for dropout from a seed."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from stacklab.model.masks import Visibility, in_record
from stacklab.model.ops import flex
from stacklab.model.ops.dropout import GENERATOR
from stacklab.model.ops.keep_masks import KeepMasks, kept_share
from stacklab.model.ops.piece_size import QUERY_BLOCK, heads_at_once

CAUSAL = Visibility("causal", None)


def attention(
    q_BHTK: Tensor,
    k_BHSK: Tensor,
    v_BHSK: Tensor,
    *,
    dropout: float,
    seed: int,
    visibility: Visibility = CAUSAL,
    scale: float | None = None,
    visible_BTS: Tensor | None = None,
    records_BT: Tensor | None = None,
) -> Tensor:
    """softmax(q k^T scale) v over visible positions (Vaswani et al. 2017, equation 1); returns o_BHTK.

    The values may be of another width than queries and keys. Without `visible_BTS` the queries are those of all S
    positions; with it they are those of the last T, there is no dropout, and a query sees a key where that and the
    window and pattern of `visibility` allow it. With `records_BT`, the `record_starts` of packed sequences, a query
    sees keys of its own record only; with `visible_BTS`, records_BT [B, 1] is where each sequence begins.

    dropout: probability of dropping an attention probability; the mask comes from `seed`, or, if that is GENERATOR,
    from the device's generator, within torch's fused kernels.
    scale: None means 1 / sqrt(K), K being the width of queries and keys.
    """
    if visible_BTS is not None:
        assert dropout == 0.0, "there is no dropout in decoding"
        if visibility.needs_matrix:
            visible_BTS = visible_BTS & _seen_TS(q_BHTK, k_BHSK, visibility, records_BT)
        return F.scaled_dot_product_attention(q_BHTK, k_BHSK, v_BHSK, attn_mask=visible_BTS[:, None], scale=scale)
    if dropout > 0.0 and seed != GENERATOR:
        scale = q_BHTK.shape[-1] ** -0.5 if scale is None else scale
        return dropped_attention(
            q_BHTK, k_BHSK, v_BHSK, p=dropout, seed=seed, visibility=visibility, scale=scale, records_BT=records_BT
        )
    if records_BT is not None:
        seen_BTS = in_record(records_BT, records_BT) & _seen_TS(q_BHTK, k_BHSK, visibility, records_BT)
        return F.scaled_dot_product_attention(
            q_BHTK, k_BHSK, v_BHSK, attn_mask=seen_BTS[:, None], dropout_p=dropout, scale=scale
        )
    if visibility.needs_matrix and dropout == 0.0 and flex.pays(q_BHTK, v_BHSK):
        scale = q_BHTK.shape[-1] ** -0.5 if scale is None else scale
        return flex.flex_attention(q_BHTK, k_BHSK, v_BHSK, visibility=visibility, scale=scale)
    if visibility.needs_matrix:
        seen_TS = _seen_TS(q_BHTK, k_BHSK, visibility)
        return F.scaled_dot_product_attention(q_BHTK, k_BHSK, v_BHSK, attn_mask=seen_TS, dropout_p=dropout, scale=scale)
    return F.scaled_dot_product_attention(
        q_BHTK, k_BHSK, v_BHSK, is_causal=visibility.kind.causal, dropout_p=dropout, scale=scale
    )


def attention_scores(q_BHTK: Tensor, k_BHSK: Tensor, *, visibility: Visibility, scale: float) -> Tensor:
    """s_BHTS = q k^T scale, -inf where a query does not see a key: `attention` is softmax(s) v.

    It holds all scores at once: for inspection.
    """
    scores_BHTS = q_BHTK @ k_BHSK.transpose(-1, -2) * scale
    return scores_BHTS.masked_fill(~_seen_TS(q_BHTK, k_BHSK, visibility), -torch.inf)


def _seen_TS(q_BHTK: Tensor, k_BHSK: Tensor, visibility: Visibility, records_BT: Tensor | None = None) -> Tensor:
    """Which of the S keys the queries of the last T positions see; [B, T, S] where that depends on `records_BT`."""
    keys_S = torch.arange(k_BHSK.shape[2], device=k_BHSK.device)
    queries_T = keys_S[k_BHSK.shape[2] - q_BHTK.shape[2] :]
    if records_BT is None or visibility.pattern is None:
        return visibility.seen_TS(queries_T, keys_S)
    return visibility.seen_TS(queries_T - records_BT, keys_S - records_BT)


def dropped_attention(
    q_BHTK: Tensor,
    k_BHTK: Tensor,
    v_BHTK: Tensor,
    *,
    p: float,
    seed: int,
    visibility: Visibility,
    scale: float,
    records_BT: Tensor | None = None,
) -> Tensor:
    """`attention` with dropout `p` > 0.

    torch's kernel keeps several [B, H, T, T] tensors per layer once dropout is on. Here a piece (some heads, a block of
    queries, and the keys which that block can see) is computed, used and discarded; the backward pass recomputes it,
    mask included. Nothing of size T x T is held, and blocks that a causal mask or a window hides are never computed.
    """
    records_GT = None if records_BT is None else records_BT.repeat_interleave(q_BHTK.shape[1], 0)
    o_BHTK: Tensor = _DroppedAttention.apply(q_BHTK, k_BHTK, v_BHTK, p, seed, visibility, scale, records_GT)  # type: ignore[no-untyped-call]
    return o_BHTK


class Piece(NamedTuple):
    """Where a piece lies in the scores [G, T, S], G counting the heads of all sequences, and its mask of 0 and 1."""

    queries: tuple[slice, slice]
    keys: tuple[slice, slice]
    kept: Tensor


def pieces(q_GTK: Tensor, p: float, seed: int, visibility: Visibility) -> Iterator[Piece]:
    """The pieces of one attention call, with the same masks whenever it is called with the same arguments."""
    groups, size, _ = q_GTK.shape
    masks = KeepMasks(p, seed)
    heads = heads_at_once(size)
    for first in range(0, groups, heads):
        last = min(first + heads, groups)
        for start in range(0, size, QUERY_BLOCK):
            queries = slice(start, min(start + QUERY_BLOCK, size))
            keys = visibility.keys_of(queries, size)
            kept = masks.draw_numbers((last - first, queries.stop - start, keys.stop - keys.start), q_GTK.dtype)
            yield Piece((slice(first, last), queries), (slice(first, last), keys), kept)


class _DroppedAttention(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        q_BHTK: Tensor,
        k_BHTK: Tensor,
        v_BHTK: Tensor,
        p: float,
        seed: int,
        visibility: Visibility,
        scale: float,
        records_GT: Tensor | None,
    ) -> Tensor:
        q_GTK, k_GTK, v_GTK = q_BHTK.flatten(0, 1) * scale, k_BHTK.flatten(0, 1), v_BHTK.flatten(0, 1)
        o_GTK = torch.empty_like(v_GTK)
        for piece in pieces(q_GTK, p, seed, visibility):
            probability = _probabilities(q_GTK, k_GTK, piece, visibility, records_GT).mul_(piece.kept)
            o_GTK[piece.queries] = torch.bmm(probability, v_GTK[piece.keys])
        o_GTK.div_(kept_share(p))
        ctx.save_for_backward(q_BHTK, k_BHTK, v_BHTK, o_GTK)
        ctx.settings = (p, seed, visibility, scale, records_GT)
        return o_GTK.view_as(v_BHTK)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_o_BHTK: Tensor) -> tuple[Tensor | None, ...]:
        p, seed, visibility, scale, records_GT = ctx.settings
        q_BHTK, k_BHTK, v_BHTK, o_GTK = ctx.saved_tensors
        q_GTK, k_GTK, v_GTK = q_BHTK.flatten(0, 1) * scale, k_BHTK.flatten(0, 1), v_BHTK.flatten(0, 1)
        # Dividing the incoming gradient once divides all that dropout divided in the forward pass.
        grad_o_GTK = grad_o_BHTK.flatten(0, 1) / kept_share(p)
        # Rows of softmax: d score = probability * (d probability - sum of probability * d probability), and that sum
        # equals o . d o, with or without dropout (Dao et al. 2022, appendix B.4).
        row_sum_GT1 = (grad_o_BHTK.flatten(0, 1) * o_GTK).sum(-1, keepdim=True)
        grad_q_GTK, grad_k_GTK, grad_v_GTK = (torch.zeros_like(each) for each in (q_GTK, k_GTK, v_GTK))
        for piece in pieces(q_GTK, p, seed, visibility):
            probability = _probabilities(q_GTK, k_GTK, piece, visibility, records_GT)
            grad_score = torch.bmm(grad_o_GTK[piece.queries], v_GTK[piece.keys].transpose(1, 2))
            grad_score.mul_(piece.kept).sub_(row_sum_GT1[piece.queries]).mul_(probability)
            dropped = probability.mul_(piece.kept)
            # Products written into slices would run head by head; whole products, added afterwards, run as one batch.
            grad_q_GTK[piece.queries] = torch.bmm(grad_score, k_GTK[piece.keys])
            grad_k_GTK[piece.keys] += torch.bmm(grad_score.transpose(1, 2), q_GTK[piece.queries])
            grad_v_GTK[piece.keys] += torch.bmm(dropped.transpose(1, 2), grad_o_GTK[piece.queries])
        grad_q_GTK.mul_(scale)
        grads = (grad_q_GTK.view_as(q_BHTK), grad_k_GTK.view_as(k_BHTK), grad_v_GTK.view_as(v_BHTK))
        return *grads, None, None, None, None, None


def _probabilities(
    q_GTK: Tensor, k_GTK: Tensor, piece: Piece, visibility: Visibility, records_GT: Tensor | None
) -> Tensor:
    """softmax(q k^T) of a piece, zero at hidden keys; `q_GTK` is already scaled."""
    score = torch.bmm(q_GTK[piece.queries], k_GTK[piece.keys].transpose(1, 2))
    query, key = (
        torch.arange(part.start, part.stop, device=score.device) for part in (piece.queries[1], piece.keys[1])
    )
    kind = visibility.kind
    if kind.causal:
        # Only keys from the first query on can be too new for some query.
        newest = score[..., -len(query) :]
        newest += _minus_infinity(query[:, None] < query, score.dtype)
    if visibility.window is not None:
        score += _minus_infinity((query[:, None] - key).abs() >= visibility.window, score.dtype)
    if kind.pattern is not None:
        score += _minus_infinity(~kind.pattern(query[:, None] - key), score.dtype)
    if (rule := visibility.rule(query.new_tensor)) is not None:
        begin = (0, 0) if records_GT is None else (records_GT[piece.queries], records_GT[piece.keys])
        score += _minus_infinity(~rule((query - begin[0])[..., :, None], (key - begin[1])[..., None, :]), score.dtype)
    if records_GT is not None:
        score += _minus_infinity(~in_record(records_GT[piece.queries], records_GT[piece.keys]), score.dtype)
    return torch.softmax(score, -1, out=score)


def _minus_infinity(hidden: Tensor, dtype: torch.dtype) -> Tensor:
    """-inf where hidden and 0 elsewhere: adding this is several times cheaper than masked_fill_ over all heads."""
    return torch.zeros(hidden.shape, dtype=dtype, device=hidden.device).masked_fill_(hidden, -torch.inf)
