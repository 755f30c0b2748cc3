"""What every kind of positions says of itself. No torch here."""

from typing import Any, ClassVar, Self

from stacklab.base.spec import Spec


class PositionKind(Spec):
    """A kind of positions: what lets a stack tell the positions of a sequence apart.

    The settings of a kind are its fields. What a kind does not declare, it does not do. Its torch side is registered
    in build.py.

    adds_rows: a row of width d_model is added to the token embedding of each position.
    acts_in_attention: the queries and keys of every layer are changed by their positions.
    extra_columns: how many numbers the latter appends to each query and to each key.
    stacks: StackedTransformer knows the kind.
    """

    adds_rows: ClassVar[bool] = False
    acts_in_attention: ClassVar[bool] = False
    extra_columns: ClassVar[int] = 0
    stacks: ClassVar[bool] = False

    kind: str

    def rows(self, context_length: int) -> int:
        """Number of trained rows of width d_model."""
        return 0

    def describe(self, *, context_length: int, d_model: int) -> str:
        """The kind and its settings, as the diagram of the architecture prints them."""
        return f"{self.kind} positions"

    def check(self, *, d_model: int, context_length: int, num_heads: tuple[int, ...]) -> None:
        """`num_heads`: by layer, bottom first. Raises ValueError for sizes that do not go with this kind."""

    def width_step(self, heads: int) -> int:
        """The number whose multiples d_model may be; `heads` is the least common multiple of the numbers of heads."""
        return heads

    def same_cost(self) -> Self:
        """This kind with every setting that does not change the time of an attention layer at its default."""
        return self


def name_to_kind(value: Any) -> Any:
    """A kind without settings may be written as its name alone."""
    return {"kind": value} if isinstance(value, str) else value
