"""The torch modules of each kind of positions: one entry of BUILDERS per kind. Rotary positions stand here."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from stacklab.base.errors import SpecError
from stacklab.model.positions.kind import PositionKind
from stacklab.model.positions.kinds import (
    FactoredPositions,
    LearnedPositions,
    NoPositions,
    RotaryPositions,
    SinusoidalPositions,
)
from stacklab.model.positions.rows import FactoredRows, Sinusoids


class Rotation:
    """Rotates pairs of numbers of queries and keys: see RotaryPositions. It has no parameters.

    Number i is paired with number i + K / 2, as in Hugging Face's Llama. Weights from a layout that pairs 2i with
    2i + 1 (Su et al.'s own, and that of Meta's and llama2.c's checkpoints) have the same scores once the rows of each
    head of queries and keys are permuted: first the even ones, then the odd ones.
    """

    def __init__(self, position: RotaryPositions, head_size: int) -> None:
        self.base, self.head_size = position.base, head_size

    def __call__(self, q_BTHK: Tensor, k_BTGK: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        wide = torch.promote_types(q_BTHK.dtype, torch.float32)
        exponents = torch.arange(0, self.head_size, 2, device=q_BTHK.device, dtype=wide) / self.head_size
        angles = positions.to(wide)[..., None, None] / self.base**exponents
        cos, sin = angles.cos(), angles.sin()
        return _rotated(q_BTHK, cos, sin), _rotated(k_BTGK, cos, sin)


def _rotated(x_BTHK: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    first, second = x_BTHK.chunk(2, -1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), -1).to(x_BTHK.dtype)


class InAttention(Protocol):
    """Positions that act in the attention of a layer."""

    def __call__(self, q_BTHK: Tensor, k_BTGK: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Queries and keys, changed by their positions: [T], or [B, T] where every sequence has its own.

        Heads come after positions, as the linear map returns them, so that results in this order can be merged without
        a copy.
        """
        ...


class Heads(NamedTuple):
    """The heads of a layer. scale: factor of their scores."""

    num_heads: int
    head_size: int
    scale: float


class Builder(NamedTuple):
    """The torch modules of a kind of positions.

    rows: makes, from the kind, the context length and d_model, the module from positions to rows.
    in_attention: makes, from the kind and the heads of a layer, the function that changes its queries and keys.
    """

    rows: Callable[[Any, int, int], nn.Module] | None = None
    in_attention: Callable[[Any, Heads], InAttention] | None = None


BUILDERS: dict[type[PositionKind], Builder] = {
    LearnedPositions: Builder(rows=lambda _, length, width: nn.Embedding(length, width)),
    SinusoidalPositions: Builder(rows=lambda _, length, width: Sinusoids(width)),
    NoPositions: Builder(),
    FactoredPositions: Builder(
        rows=lambda kind, length, width: FactoredRows(kind, context_length=length, d_model=width)
    ),
    RotaryPositions: Builder(in_attention=lambda kind, heads: Rotation(kind, heads.head_size)),
}


def position_rows(position: PositionKind, *, context_length: int, d_model: int) -> nn.Module | None:
    """The module from positions to the rows that are added; None for a kind without rows.

    Raises SpecError for a kind without a builder.
    """
    make = _builder(position).rows
    return None if make is None else make(position, context_length, d_model)


def positions_in_attention(position: PositionKind, heads: Heads) -> InAttention | None:
    """The function that changes the queries and keys of a layer; None for a kind that does not.

    Raises SpecError for a kind without a builder.
    """
    make = _builder(position).in_attention
    return None if make is None else make(position, heads)


def _builder(position: PositionKind) -> Builder:
    builder = BUILDERS.get(type(position))
    if builder is None:
        raise SpecError(
            f"model.position.kind = {position.kind}: no model can be built with it; register a builder for "
            f"{type(position).__name__} in stacklab.model.positions.build"
        )
    for declared, made, name in (
        (position.adds_rows, builder.rows, "adds_rows"),
        (position.acts_in_attention, builder.in_attention, "acts_in_attention"),
    ):
        assert declared == (made is not None), f"{type(position).__name__}.{name} and its builder contradict each other"
    return builder
