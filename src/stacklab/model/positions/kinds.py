"""The kinds of positions, and which of them a stack may have. No torch here."""

import math
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import BeforeValidator, Field, PositiveInt

from stacklab.model.positions.kind import PositionKind, name_to_kind


class LearnedPositions(PositionKind):
    """A table with a trained row per position."""

    adds_rows: ClassVar[bool] = True
    stacks: ClassVar[bool] = True

    kind: Literal["learned"] = "learned"

    def rows(self, context_length: int) -> int:
        return context_length

    def describe(self, *, context_length: int, d_model: int) -> str:
        return f"learned, {context_length:,} × {d_model}"


class SinusoidalPositions(PositionKind):
    """Sines and cosines of the position at many rates (Vaswani et al. 2017, section 3.5)."""

    adds_rows: ClassVar[bool] = True
    stacks: ClassVar[bool] = True

    kind: Literal["sinusoidal"] = "sinusoidal"

    def describe(self, *, context_length: int, d_model: int) -> str:
        return f"sinusoidal, {context_length:,} positions"

    def check(self, *, d_model: int, context_length: int, num_heads: tuple[int, ...]) -> None:
        if d_model % 2:
            raise ValueError(f"sinusoidal positions need an even d_model, got {d_model}")

    def width_step(self, heads: int) -> int:
        return math.lcm(heads, 2)


class NoPositions(PositionKind):
    """No positional encoding: only a causal mask distinguishes positions."""

    stacks: ClassVar[bool] = True

    kind: Literal["none"] = "none"


class FactoredPositions(PositionKind):
    """The sum of two learned rows for position t: those of its slot, t mod period, and its group, t div period.

    For sequences of equal groups, such as strings of three symbols and a label (period 4): the meaning of a slot is
    then learned from all groups at once.
    """

    adds_rows: ClassVar[bool] = True
    stacks: ClassVar[bool] = True

    kind: Literal["factored"] = "factored"
    period: PositiveInt

    def groups(self, context_length: int) -> int:
        return -(-context_length // self.period)

    def rows(self, context_length: int) -> int:
        return self.period + self.groups(context_length)

    def describe(self, *, context_length: int, d_model: int) -> str:
        return f"factored, ({self.period:,} slots + {self.groups(context_length):,} groups) × {d_model}"

    def check(self, *, d_model: int, context_length: int, num_heads: tuple[int, ...]) -> None:
        if self.period > context_length:
            raise ValueError(
                f"position.period = {self.period} exceeds context_length = {context_length}, "
                "so no position would have a second group"
            )


class RotaryPositions(PositionKind):
    """Queries and keys are rotated by angles that grow with their position, so that scores depend on distances alone
    (Su et al. 2021, arXiv 2104.09864). Nothing is added to the stream.

    base: pair i of a head of K numbers rotates by base^(-2i / K) per position.
    """

    acts_in_attention: ClassVar[bool] = True

    kind: Literal["rotary"] = "rotary"
    base: float = Field(10_000.0, gt=0)

    def describe(self, *, context_length: int, d_model: int) -> str:
        return f"rotary positions, base {self.base:,g}"

    def check(self, *, d_model: int, context_length: int, num_heads: tuple[int, ...]) -> None:
        for index, heads in enumerate(num_heads):
            if (d_model // heads) % 2:
                raise ValueError(
                    f"rotary positions rotate pairs of numbers, but num_heads = {heads} (layer {index}) makes "
                    f"heads of {d_model // heads}; choose heads of an even size"
                )

    def width_step(self, heads: int) -> int:
        return 2 * heads

    def same_cost(self) -> Self:
        return type(self)()


AnyPosition = LearnedPositions | SinusoidalPositions | NoPositions | FactoredPositions | RotaryPositions
KINDS: tuple[type[PositionKind], ...] = get_args(AnyPosition)


def _without_settings() -> Any:
    """The type of the names of the kinds that need no settings."""
    names = [kind.model_fields["kind"].default for kind in KINDS if not _required(kind)]
    return Literal.__getitem__(tuple(names))


def _required(kind: type[PositionKind]) -> list[str]:
    return [name for name, field in kind.model_fields.items() if field.is_required()]


Position = Annotated[
    AnyPosition,
    Field(discriminator="kind"),
    BeforeValidator(name_to_kind, json_schema_input_type=AnyPosition | _without_settings()),
]
"""A kind of positions with its settings."""
