"""What tells a position from another: modules from positions to rows of width d_model."""

import math

import torch
from torch import Tensor, nn

from stacklab.model.components import FactoredPositions
from stacklab.model.spec import ModelSpec


def position_rows(spec: ModelSpec) -> nn.Module | None:
    """The module of the spec's positions; None when there are none."""
    if isinstance(spec.position, FactoredPositions):
        return FactoredRows(spec.position, spec)
    if spec.position.kind == "learned":
        return nn.Embedding(spec.context_length, spec.d_model)
    return Sinusoids(spec.d_model) if spec.position.kind == "sinusoidal" else None


class FactoredRows(nn.Module):
    """slot[t mod period] + group[t div period]: see FactoredPositions."""

    def __init__(self, position: FactoredPositions, spec: ModelSpec) -> None:
        super().__init__()
        self.period = position.period
        self.slot = nn.Embedding(position.period, spec.d_model)
        self.group = nn.Embedding(position.groups(spec.context_length), spec.d_model)

    def forward(self, positions: Tensor) -> Tensor:
        rows: Tensor = self.slot(positions % self.period) + self.group(positions // self.period)
        return rows


class Sinusoids(nn.Module):
    """Sine and cosine positions (Vaswani et al. 2017, section 3.5), sines first."""

    def __init__(self, d_model: int) -> None:
        super().__init__()
        self.d_model = d_model

    def forward(self, positions: Tensor) -> Tensor:
        rates = torch.exp(
            torch.arange(0, self.d_model, 2, device=positions.device) * (-math.log(10_000.0) / self.d_model)
        )
        angles = positions[..., None] * rates
        return torch.cat((angles.sin(), angles.cos()), -1)
