"""Dropout whose mask comes from a seed (Srivastava et al. 2014, in the inverted form)."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from stacklab.model.ops.keep_masks import KeepMasks, as_numbers, kept_share


def dropout(x: Tensor, p: float, seed: int) -> Tensor:
    """Zero each element of `x` with probability `p` and divide the others by the probability of being kept.

    The mask is a function of the shape of `x`, of `p` and of `seed` alone. `x` may have any shape.
    """
    if p == 0.0:
        return x
    dropped: Tensor = _Dropout.apply(x, p, seed)  # type: ignore[no-untyped-call]
    return dropped


class _Dropout(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, p: float, seed: int) -> Tensor:
        kept = KeepMasks(p, seed, x.device).draw(x.shape)
        ctx.save_for_backward(kept)
        ctx.scale = 1.0 / kept_share(p)
        return _masked(x, kept, ctx.scale)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (kept,) = ctx.saved_tensors
        return _masked(grad, kept, ctx.scale), None, None


def _masked(x: Tensor, kept: Tensor, scale: float) -> Tensor:
    """x * kept * scale in one pass over memory."""
    numbers = as_numbers(kept, x.dtype)
    return torch.addcmul(x.new_zeros(()), x, numbers, value=scale, out=numbers)
