"""Rows of width d_model that are added to the token embeddings."""

import math

import torch
from torch import Tensor, nn

from stacklab.model.positions.kinds import FactoredPositions


class FactoredRows(nn.Module):
    """slot[t mod period] + group[t div period]: see FactoredPositions."""

    def __init__(self, position: FactoredPositions, *, context_length: int, d_model: int) -> None:
        super().__init__()
        self.period = position.period
        self.slot = nn.Embedding(position.period, d_model)
        self.group = nn.Embedding(position.groups(context_length), d_model)

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
