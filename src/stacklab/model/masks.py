"""Which keys a query sees: masks and windows. No torch here."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from operator import and_
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor

Mask = Literal["causal", "full"]


@dataclass(frozen=True)
class MaskKind:
    """A rule on the distance from a query back to a key (negative for later keys), and on nothing else.

    title: name of such attention in the diagram of the architecture.
    causal: no query sees a later key. Only then can a stack be trained to predict the next token, and generate text.
    pattern: which of the distances are seen; None means all that `causal` allows. A query must see itself.
    """

    title: str
    causal: bool
    pattern: "Callable[[Tensor], Tensor] | None" = None


MASKS: dict[Mask, MaskKind] = {
    "causal": MaskKind("Causal attention", causal=True),
    "full": MaskKind("Attention to all positions", causal=False),
}


class Visibility(NamedTuple):
    """A mask and a window: see ModelSpec."""

    mask: Mask
    window: int | None

    @property
    def kind(self) -> MaskKind:
        return MASKS[self.mask]

    @property
    def needs_matrix(self) -> bool:
        """Whether torch's fused kernel needs a mask matrix; otherwise `is_causal` suffices."""
        return self.window is not None or self.kind.pattern is not None

    def seen_TS(self, queries_T: "Tensor", keys_S: "Tensor") -> "Tensor":
        """True where the query at one position sees the key at another, from the numbers of both positions."""
        return sees(queries_T[:, None] - keys_S, self.kind, self.window)

    def keys_of(self, queries: slice, size: int) -> slice:
        """The range of the `size` keys that covers all keys visible to a block of queries."""
        reach = size if self.window is None else self.window - 1
        last = queries.stop if self.kind.causal else min(size, queries.stop + reach)
        return slice(max(0, queries.start - reach), last)


def record_starts(positions_BT: "Tensor") -> "Tensor":
    """Where the record of each place begins in its sequence, from the place's position in it: equal within a record."""
    return positions_BT.new_ones(positions_BT.shape[-1]).cumsum(0) - 1 - positions_BT


def in_record(queries_BT: "Tensor", keys_BS: "Tensor") -> "Tensor":
    """True where a query and a key are of one record, from the `record_starts` of both; [B, T, S]."""
    return queries_BT[..., :, None] == keys_BS[..., None, :]


def sees(distance: "Tensor", kind: MaskKind, window: int | None) -> "Tensor":
    """True where a query sees the key that is `distance` positions before it, negative for later keys.

    A function of plain values, since torch 2.6 cannot compile properties of named tuples.
    """
    conditions = []
    if kind.causal:
        conditions.append(distance >= 0)
    if window is not None:
        conditions.append((distance if kind.causal else distance.abs()) < window)
    if kind.pattern is not None:
        conditions.append(kind.pattern(distance))
    return reduce(and_, conditions) if conditions else distance == distance
