"""Settings that are short for several: a schedule of heads, and one value for all biases. No torch here."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, PositiveInt

from stacklab.base.spec import Spec

MOST_LAYERS = 10_000
"""The most layers of a stack: a plan describes every layer by itself."""
MOST_SCHEDULED = 64
"""The most layers of a schedule: numbers that double more often fit no width."""


class HeadSchedule(Spec):
    """Numbers of heads, bottom first: the same everywhere, or growing from `smallest` by `factor` per layer, or the
    reverse.

    >>> HeadSchedule(schedule="descending", smallest=3).heads(4)
    (24, 12, 6, 3)
    """

    schedule: Literal["constant", "ascending", "descending"]
    smallest: PositiveInt
    factor: PositiveInt = 2

    def heads(self, num_layers: int) -> tuple[int, ...]:
        if self.schedule == "constant":
            return (self.smallest,) * num_layers
        rising = tuple(self.smallest * self.factor**layer for layer in range(num_layers))
        return rising if self.schedule == "ascending" else rising[::-1]


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
"""A BiasSpec; true and false set all of its fields."""
