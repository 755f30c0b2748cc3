"""What tells a position from another: rows of width d_model that are added, or turns of queries and keys."""

import math

import torch
from torch import Tensor, nn

from stacklab.model.components import FactoredPositions, RotaryPositions
from stacklab.model.spec import ModelSpec


def position_rows(spec: ModelSpec) -> nn.Module | None:
    """The module of the spec's positions; None when nothing is added to the tokens' rows."""
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


class Rotation:
    """Turns the pairs of queries' and keys' numbers: see RotaryPositions. It has no parameters.

    Number i is paired with number i + K / 2, as in Hugging Face's Llama. Weights from a layout that pairs 2i with
    2i + 1 (Su et al.'s own, and that of Meta's and llama2.c's checkpoints) give the same scores once the rows of each
    head of queries and keys are permuted: first the even ones, then the odd ones.
    """

    def __init__(self, position: RotaryPositions, head_size: int) -> None:
        self.base, self.head_size = position.base, head_size

    def __call__(self, q_BTHK: Tensor, k_BTGK: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Positions [T], or [B, T] where every sequence has its own. Heads stand behind positions, as the linear map
        gives them: what is made of queries in this order can be merged without a copy."""
        wide = torch.promote_types(q_BTHK.dtype, torch.float32)
        exponents = torch.arange(0, self.head_size, 2, device=q_BTHK.device, dtype=wide) / self.head_size
        angles = positions.to(wide)[..., None, None] / self.base**exponents
        cos, sin = angles.cos(), angles.sin()
        return _turned(q_BTHK, cos, sin), _turned(k_BTGK, cos, sin)


def _turned(x_BTHK: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    first, second = x_BTHK.chunk(2, -1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), -1).to(x_BTHK.dtype)


def rotation(spec: ModelSpec, num_heads: int) -> Rotation | None:
    """How a layer of so many heads turns them; None for positions of another kind."""
    position = spec.position
    return Rotation(position, spec.d_model // num_heads) if isinstance(position, RotaryPositions) else None
