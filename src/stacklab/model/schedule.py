"""Numbers of heads that grow or shrink from layer to layer."""

from typing import Literal

from pydantic import PositiveInt

from stacklab.base.spec import Spec


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
