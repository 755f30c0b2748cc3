"""Linear maps and norms with an explicit number format for products, in place of autocast."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stacklab.model.spec import NormSpec


class Linear(nn.Linear):
    """nn.Linear whose product is computed in `compute_dtype`: inputs, weights and bias are cast, the result stays so.

    None computes in the format of the weights. The parameters are not changed: they are the master weights.
    """

    compute_dtype: torch.dtype | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.compute_dtype is None:
            return F.linear(x, self.weight, self.bias)
        bias = None if self.bias is None else self.bias.to(self.compute_dtype)
        return F.linear(x.to(self.compute_dtype), self.weight.to(self.compute_dtype), bias)


class LayerNorm(nn.LayerNorm):
    """nn.LayerNorm in the format of its weights, whatever that of its input."""

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x.to(self.weight.dtype), self.normalized_shape, self.weight, self.bias, self.eps)


class RMSNorm(nn.RMSNorm):
    """nn.RMSNorm in the format of its weights, whatever that of its input."""

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x.to(self.weight.dtype), self.normalized_shape, self.weight, self.eps)


NORMS: dict[str, Callable[[NormSpec, int], nn.Module]] = {
    "layer": lambda spec, width: LayerNorm(width, eps=spec.epsilon, bias=spec.bias),
    "rms": lambda spec, width: RMSNorm(width, eps=spec.epsilon),
}


def build_norm(spec: NormSpec, width: int) -> nn.Module:
    """The spec's norm over the last axis, of `width` numbers."""
    return NORMS[spec.kind](spec, width)
