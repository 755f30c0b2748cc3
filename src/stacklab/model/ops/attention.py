"""Masked attention: torch's fused kernel without dropout, our own lean one with it."""

import torch
import torch.nn.functional as F
from torch import Tensor

from stacklab.model.ops.dropped_attention import dropped_attention
from stacklab.model.ops.visibility import Visibility

CAUSAL = Visibility("causal", None)


def attention(
    q_BHTK: Tensor,
    k_BHTK: Tensor,
    v_BHTK: Tensor,
    *,
    dropout: float,
    seed: int,
    visibility: Visibility = CAUSAL,
    scale: float | None = None,
) -> Tensor:
    """softmax(q k^T scale) v over visible positions (Vaswani et al. 2017, equation 1); returns o_BHTK.

    The values may be of another width than queries and keys.

    dropout: probability of dropping an attention probability; the mask comes from `seed`.
    scale: None means 1 / sqrt(K), K being the width of queries and keys.
    """
    if dropout > 0.0:
        scale = q_BHTK.shape[-1] ** -0.5 if scale is None else scale
        return dropped_attention(q_BHTK, k_BHTK, v_BHTK, p=dropout, seed=seed, visibility=visibility, scale=scale)
    if visibility.window is None:
        causal = visibility.mask == "causal"
        return F.scaled_dot_product_attention(q_BHTK, k_BHTK, v_BHTK, is_causal=causal, scale=scale)
    positions = torch.arange(q_BHTK.shape[2], device=q_BHTK.device)
    seen_TT = visibility.seen_TS(positions, positions)
    return F.scaled_dot_product_attention(q_BHTK, k_BHTK, v_BHTK, attn_mask=seen_TT, scale=scale)
