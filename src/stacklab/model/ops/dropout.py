"""Dropout (Srivastava et al. 2014, in the inverted form). Its mask comes from a seed, or from the device's generator.

A seed addresses the mask of each place, whatever was drawn before: so a run on a CPU is the same in any order of
drawing. On a card, and in compiled blocks, such seeds would be new constants at every step; there torch's own dropout
draws from the generator of the device, which is seeded once per forward pass.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from stacklab.model.ops.keep_masks import KeepMasks, as_numbers, kept_share

GENERATOR = -1
"""In place of a seed: the mask is the next one of the device's generator. Seeds are not negative."""


def seed_generator(device: torch.device, seed: int) -> None:
    """Seed torch's default generator of `device`."""
    if device.type == "cpu":
        torch.default_generator.manual_seed(seed)
    else:
        torch.get_device_module(device).manual_seed(seed)


def dropout(x: Tensor, p: float, seed: int) -> Tensor:
    """Zero each element of `x` with probability `p` and divide the others by the probability of being kept.

    The mask is a function of the shape of `x`, of `p` and of `seed` alone, on a CPU, unless the seed is GENERATOR.
    `x` may have any shape.
    """
    if p == 0.0:
        return x
    if seed == GENERATOR:
        return F.dropout(x, p)
    return masked(x, KeepMasks(p, seed).draw(x.shape), 1.0 / kept_share(p))


def masked(x: Tensor, kept: Tensor, scale: float) -> Tensor:
    """x * kept * scale, for a boolean mask of the shape of `x`. Its gradient needs the mask alone."""
    y: Tensor = _Masked.apply(x, kept, scale)  # type: ignore[no-untyped-call]
    return y


class _Masked(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, kept: Tensor, scale: float) -> Tensor:
        ctx.save_for_backward(kept)
        ctx.scale = scale
        return _product(x, kept, scale)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (kept,) = ctx.saved_tensors
        return _product(grad, kept, ctx.scale), None, None


def _product(x: Tensor, kept: Tensor, scale: float) -> Tensor:
    """x * kept * scale in one pass over memory."""
    numbers = as_numbers(kept, x.dtype)
    return torch.addcmul(x.new_zeros(()), x, numbers, value=scale, out=numbers)
