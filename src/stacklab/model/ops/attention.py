"""Causal attention: torch's fused kernel without dropout, our own lean one with it."""

import torch
import torch.nn.functional as F
from torch import Tensor

from stacklab.model.ops.dropped_attention import dropped_attention


def causal_attention(
    q_BHTK: Tensor,
    k_BHTK: Tensor,
    v_BHTK: Tensor,
    *,
    dropout: float,
    seed: int,
    window: int | None = None,
    scale: float | None = None,
) -> Tensor:
    """softmax(q k^T scale) v over earlier positions (Vaswani et al. 2017, equation 1); returns o_BHTK.

    dropout: probability of dropping an attention probability; the mask comes from `seed`.
    window: how many positions a query sees, itself included; None means all earlier ones.
    scale: None means 1 / sqrt(K).
    """
    if dropout > 0.0:
        scale = q_BHTK.shape[-1] ** -0.5 if scale is None else scale
        return dropped_attention(q_BHTK, k_BHTK, v_BHTK, p=dropout, seed=seed, window=window, scale=scale)
    if window is None:
        return F.scaled_dot_product_attention(q_BHTK, k_BHTK, v_BHTK, is_causal=True, scale=scale)
    positions = torch.arange(q_BHTK.shape[2], device=q_BHTK.device)
    age_TS = positions[:, None] - positions
    visible_TS = (age_TS >= 0) & (age_TS < window)
    return F.scaled_dot_product_attention(q_BHTK, k_BHTK, v_BHTK, attn_mask=visible_TS, scale=scale)
