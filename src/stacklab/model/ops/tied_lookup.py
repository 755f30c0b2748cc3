"""Looks up rows in a table that is also the head.

Plain autograd adds two dense gradients for such a table: one from the head, one from the lookup, which is zero except
for the rows of this batch. Here the head's gradient passes through the lookup, and those rows are added to it in place.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable


def tied_lookup(weight_VD: Tensor, ids_BT: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the rows x_BTD and the table for the head to use, which must be used in place of `weight_VD`.

    The gradient that reaches the returned table is overwritten, so nothing else may keep it.
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
