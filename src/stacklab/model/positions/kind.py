"""What every kind of positions declares. No torch here."""

from typing import Any, ClassVar, Self

from stacklab.base.spec import Spec


class PositionKind(Spec):
    """A kind of positions: how a stack distinguishes the positions of a sequence.

    The settings of a kind are its fields. What a kind does not declare, it does not do. Its torch modules are
    registered in build.py.

    adds_rows: a row of width d_model is added to the token embedding of each position.
    acts_in_attention: the queries and keys of every layer are changed by their positions.
    extra_columns: number of columns that acts_in_attention appends to each query and key.
    stacks: StackedTransformer supports the kind.
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
        """`num_heads`: by layer, bottom first. Raises ValueError for sizes that do not fit this kind."""

    def width_step(self, heads: int) -> int:
        """d_model must be a multiple of this. heads: the least common multiple of the numbers of heads."""
        return heads

    def same_cost(self) -> Self:
        """This kind with defaults for all settings that do not change the time of an attention layer."""
        return self


def name_to_kind(value: Any) -> Any:
    """A kind without settings may be written as its name alone."""
    return {"kind": value} if isinstance(value, str) else value
