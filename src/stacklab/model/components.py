"""Components of a stack that have settings of their own. No torch here."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PositiveInt

from stacklab.base.spec import Spec

Mask = Literal["causal", "full"]
PlainKind = Literal["learned", "sinusoidal", "none"]


class PlainPositions(Spec):
    """A table with a learned row per position, sines and cosines (Vaswani et al. 2017), or nothing."""

    kind: PlainKind = "learned"

    def rows(self, context_length: int) -> int:
        """Trained rows of width d_model."""
        return context_length if self.kind == "learned" else 0


class FactoredPositions(Spec):
    """Position t as two learned rows added: that of its slot, t mod period, and that of its group, t div period.

    For sequences of equal groups, such as strings of three symbols and a label (period 4): what a slot means is then
    learned from all groups at once.
    """

    kind: Literal["factored"] = "factored"
    period: PositiveInt

    def groups(self, context_length: int) -> int:
        return -(-context_length // self.period)

    def rows(self, context_length: int) -> int:
        """Trained rows of width d_model."""
        return self.period + self.groups(context_length)


class RotaryPositions(Spec):
    """Queries and keys are turned by angles that grow with their position, so that scores depend on distances alone
    (Su et al. 2021, arXiv 2104.09864). Nothing is added to the stream.

    base: pair i of a head of K numbers turns by base^(-2i / K) per position.
    """

    kind: Literal["rotary"] = "rotary"
    base: float = Field(10_000.0, gt=0)

    def rows(self, context_length: int) -> int:
        """Trained rows of width d_model."""
        return 0


def _name_to_kind(value: Any) -> Any:
    return {"kind": value} if isinstance(value, str) else value


Position = Annotated[
    PlainPositions | FactoredPositions | RotaryPositions,
    Field(discriminator="kind"),
    BeforeValidator(
        _name_to_kind,
        json_schema_input_type=PlainPositions | FactoredPositions | RotaryPositions | PlainKind | Literal["rotary"],
    ),
]
"""A kind of positions with its settings; one without settings may be written as its name alone."""


class BiasSpec(Spec):
    """Which linear maps add a bias. The head never does."""

    query_key_value: bool = False
    output: bool = False
    feed_forward: bool = False


def _one_to_all(value: Any) -> Any:
    if isinstance(value, bool):
        return dict.fromkeys(BiasSpec.model_fields, value)
    if not isinstance(value, dict | BiasSpec):
        raise ValueError(f"expected true, false or some of {', '.join(BiasSpec.model_fields)}, got {value!r}")
    return value


Biases = Annotated[BiasSpec, BeforeValidator(_one_to_all, json_schema_input_type=BiasSpec | bool)]
"""A BiasSpec; true and false stand for all of its places."""
