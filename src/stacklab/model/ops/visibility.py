"""Which positions a position may attend to."""

from typing import NamedTuple

import torch
from torch import Tensor

from stacklab.model.components import Mask


class Visibility(NamedTuple):
    """A mask and a window: see ModelSpec."""

    mask: Mask
    window: int | None

    def seen_TS(self, queries_T: Tensor, keys_S: Tensor) -> Tensor:
        """True where the query at one position sees the key at another, from the numbers of both positions."""
        age_TS = queries_T[:, None] - keys_S
        if self.mask == "causal":
            seen_TS = age_TS >= 0
            return seen_TS if self.window is None else seen_TS & (age_TS < self.window)
        return torch.ones_like(age_TS, dtype=torch.bool) if self.window is None else age_TS.abs() < self.window

    def keys_of(self, queries: slice, size: int) -> slice:
        """The keys, of `size`, that some query of a block can see."""
        reach = size if self.window is None else self.window - 1
        last = queries.stop if self.mask == "causal" else min(size, queries.stop + reach)
        return slice(max(0, queries.start - reach), last)
