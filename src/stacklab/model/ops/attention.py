"""Masked attention: its formula, and the kernels that compute it (torch's without dropout, our own with it)."""

import torch
import torch.nn.functional as F
from torch import Tensor

from stacklab.model.masks import Visibility
from stacklab.model.ops.dropped_attention import dropped_attention

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
) -> Tensor:
    """softmax(q k^T scale) v over visible positions (Vaswani et al. 2017, equation 1); returns o_BHTK.

    The values may be of another width than queries and keys. Without `visible_BTS` the queries are those of all S
    positions; with it they are those of the last T, there is no dropout, and a query sees a key where that and the
    window and pattern of `visibility` allow it.

    dropout: probability of dropping an attention probability; the mask comes from `seed`.
    scale: None means 1 / sqrt(K), K being the width of queries and keys.
    """
    if visible_BTS is not None:
        assert dropout == 0.0, "there is no dropout in decoding"
        if visibility.needs_matrix:
            visible_BTS = visible_BTS & _seen_TS(q_BHTK, k_BHSK, visibility)
        return F.scaled_dot_product_attention(q_BHTK, k_BHSK, v_BHSK, attn_mask=visible_BTS[:, None], scale=scale)
    if dropout > 0.0:
        scale = q_BHTK.shape[-1] ** -0.5 if scale is None else scale
        return dropped_attention(q_BHTK, k_BHSK, v_BHSK, p=dropout, seed=seed, visibility=visibility, scale=scale)
    if visibility.needs_matrix:
        seen_TS = _seen_TS(q_BHTK, k_BHSK, visibility)
        return F.scaled_dot_product_attention(q_BHTK, k_BHSK, v_BHSK, attn_mask=seen_TS, scale=scale)
    return F.scaled_dot_product_attention(q_BHTK, k_BHSK, v_BHSK, is_causal=visibility.kind.causal, scale=scale)


def attention_scores(q_BHTK: Tensor, k_BHSK: Tensor, *, visibility: Visibility, scale: float) -> Tensor:
    """s_BHTS = q k^T scale, -inf where a query does not see a key: `attention` is softmax(s) v.

    It holds all scores at once: for inspection.
    """
    scores_BHTS = q_BHTK @ k_BHSK.transpose(-1, -2) * scale
    return scores_BHTS.masked_fill(~_seen_TS(q_BHTK, k_BHSK, visibility), -torch.inf)


def _seen_TS(q_BHTK: Tensor, k_BHSK: Tensor, visibility: Visibility) -> Tensor:
    """Which of the S keys the queries of the last T positions see."""
    keys_S = torch.arange(k_BHSK.shape[2], device=k_BHSK.device)
    return visibility.seen_TS(keys_S[k_BHSK.shape[2] - q_BHTK.shape[2] :], keys_S)
