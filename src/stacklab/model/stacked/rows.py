"""Places of a batch and what is computed row by row; the replicas R are the first axis."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from stacklab.model.stacked.ops import linear, linear_onto, linear_onto_rows, with_columns

Parameters = Mapping[str, Tensor]
"""Transformer's parameters by name, each with the replicas as the first axis."""


@dataclass(frozen=True)
class Rows:
    """A row of width D for each place of a batch, N = B * T; or, with `row_RBT`, rows shared by places.

    row_RBT: index of each place's row among the rows of all replicas. columns_T: positions of the places in a sequence.
    """

    x_RND: Tensor
    batch: int
    columns_T: Tensor
    row_RBT: Tensor | None = None

    def spread(self, y_RNO: Tensor) -> Tensor:
        """y_RBTO, from values y computed row by row."""
        if self.row_RBT is None:
            return y_RNO.view(len(y_RNO), self.batch, -1, y_RNO.shape[2])
        return y_RNO.flatten(0, 1).index_select(0, self.row_RBT.flatten()).view(*self.row_RBT.shape, -1)

    def spread_heads(self, y_RNO: Tensor, heads: int) -> Tensor:
        """y_RBHTK, from values y computed row by row."""
        if self.row_RBT is None or heads == 1:
            y_RBTO = self.spread(y_RNO)
            return y_RBTO.view(*y_RBTO.shape[:3], heads, -1).transpose(2, 3)
        # Shared rows can be gathered in the order of heads, which saves a copy.
        row_RBHT = self.row_RBT[:, :, None] * heads + torch.arange(heads, device=self.row_RBT.device)[:, None]
        return y_RNO.reshape(-1, y_RNO.shape[-1] // heads).index_select(0, row_RBHT.flatten()).view(*row_RBHT.shape, -1)

    def plus(self, y_RND: Tensor, o_RNI: Tensor, weight_RDI: Tensor, *, dtype: torch.dtype | None) -> Tensor:
        """y, computed row by row and spread to all places, plus a linear map of o, whose product is in `dtype`."""
        if self.row_RBT is None:
            return linear_onto(o_RNI, weight_RDI, y_RND, dtype=dtype)
        if dtype is None:
            return linear_onto_rows(o_RNI, weight_RDI, y_RND, self.row_RBT.flatten())
        return linear_onto(o_RNI, weight_RDI, self.spread(y_RND).flatten(1, 2), dtype=dtype)

    def fork(self, columns_C: Tensor) -> tuple["Rows", "Rows"]:
        """(all rows, to be used instead of these from now on; the rows at some columns)."""
        if self.row_RBT is not None:
            return self, replace(self, columns_T=columns_C, row_RBT=self.row_RBT.index_select(2, columns_C))
        x_RBTD, columns_RBCD = with_columns(self.spread(self.x_RND), columns_C)
        chosen = Rows(columns_RBCD.flatten(1, 2), self.batch, columns_C)
        return replace(self, x_RND=x_RBTD.flatten(1, 2)), chosen


def normed(x_RND: Tensor, epsilon: float) -> Tensor:
    """LayerNorm without its weight and bias, in fp32 at least."""
    wide_RND = x_RND.to(torch.promote_types(x_RND.dtype, torch.float32))
    return F.layer_norm(wide_RND, wide_RND.shape[-1:], eps=epsilon)


def affine(parameters: Parameters, norm: str, x_RND: Tensor) -> Tensor:
    """Apply a norm's weight and bias."""
    scaled_RND = x_RND * parameters[norm + "weight"][:, None]
    bias_RD = parameters.get(norm + "bias")
    return scaled_RND if bias_RD is None else scaled_RND + bias_RD[:, None]


def folded(
    parameters: Parameters, norm: str | None, weight_ROI: Tensor, bias_RO: Tensor | None
) -> tuple[Tensor, Tensor | None]:
    """Weight and bias_R1O of a linear map that includes the weight and bias of the norm before it.

    W (g x + b) + c = (W g) x + (W b + c), which saves two passes over x and more over its gradient.
    """
    bias_R1O = None if bias_RO is None else bias_RO[:, None]
    if norm is None:
        return weight_ROI, bias_R1O
    shift_RI = parameters.get(norm + "bias")
    if shift_RI is not None:
        bias_R1O = linear(shift_RI[:, None], weight_ROI, bias_R1O=bias_R1O)
    return weight_ROI * parameters[norm + "weight"][:, None], bias_R1O
