"""Attention under a window or a pattern on a card, by torch's FlexAttention: hidden blocks are never computed.

A mask given as a matrix leaves torch's flash kernel. For short sequences its memory-efficient kernel is as fast; so
this one is for long ones.
"""

import functools
from typing import Any

import torch
from torch import Tensor

from stacklab.model.masks import Visibility, sees
from stacklab.model.ops import compilation

SHORTEST = 2048
"""Positions from which hidden blocks outweigh the cost of the kernel."""
SMALLEST_HEAD = 16
"""The smallest head for which torch generates kernels."""


def pays(q_BHTK: Tensor, v_BHTK: Tensor) -> bool:
    """Whether this kernel is used for such queries and values. Queries are those of all positions."""
    size, width = q_BHTK.shape[2:]
    fits = size >= SHORTEST and width >= SMALLEST_HEAD and width == v_BHTK.shape[3]
    return fits and compilation.compiles(q_BHTK.device)


def flex_attention(q_BHTK: Tensor, k_BHTK: Tensor, v_BHTK: Tensor, *, visibility: Visibility, scale: float) -> Tensor:
    """softmax(q k^T scale) v over visible positions; o_BHTK. Without dropout."""
    mask = block_mask(visibility, q_BHTK.shape[2], q_BHTK.device)
    o_BHTK: Tensor = _kernel()(q_BHTK, k_BHTK, v_BHTK, block_mask=mask, scale=scale)
    return o_BHTK


@functools.cache
def block_mask(visibility: Visibility, size: int, device: torch.device) -> Any:
    """The blocks of [size, size] with a visible key: made once, and shared by layers and steps."""
    from torch.nn.attention.flex_attention import create_block_mask

    kind, window = visibility.kind, visibility.window
    rule = visibility.rule(functools.partial(torch.tensor, device=device))

    def visible(batch: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        seen: Tensor = sees(query, key, kind, window, rule)
        return seen

    return create_block_mask(visible, None, None, size, size, device=str(device))


@functools.cache
def _kernel() -> Any:
    from torch.nn.attention.flex_attention import flex_attention as kernel

    return torch.compile(kernel, dynamic=False)
