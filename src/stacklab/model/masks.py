"""Which keys a query sees: masks, windows and patterns. No torch here."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, reduce
from operator import and_
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from stacklab.model.patterns.kinds import AnyPattern, Draw, Rule, Sequences

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


PAIRS_AT_ONCE = 2**22
"""Pairs of positions of which NumPy holds a mask at a time."""


class Visibility(NamedTuple):
    """A mask, and a window or a pattern: see ModelSpec.

    drawn, context_length: what the pattern drew at random, and for which length of the longest sequence.
    """

    mask: Mask
    window: int | None
    pattern: AnyPattern | None = None
    drawn: Draw = ()
    context_length: int = 0

    @property
    def kind(self) -> MaskKind:
        return MASKS[self.mask]

    @property
    def needs_matrix(self) -> bool:
        """Whether torch's fused kernel needs a mask matrix; otherwise `is_causal` suffices."""
        return self.window is not None or self.pattern is not None or self.kind.pattern is not None

    @property
    def reach(self) -> int | None:
        """The largest distance of a visible key; None is no limit."""
        if self.window is not None:
            return self.window - 1
        return None if self.pattern is None else self.pattern.reach

    def rule(self, array: Callable[[Any], Any]) -> Rule | None:
        """The rule of the pattern, if there is one, for positions in arrays as `array` makes them."""
        if self.pattern is None:
            return None
        return self.pattern.rule(Sequences(self.context_length, self.drawn, array))

    def seen_TS(self, queries_T: "Tensor", keys_S: "Tensor") -> "Tensor":
        """True where the query at one position sees the key at another, from the numbers of both positions.

        With positions [B, T] and [B, S], for each sequence: [B, T, S].
        """
        rule = self.rule(queries_T.new_tensor)
        seen_TS: Tensor = sees(queries_T[..., :, None], keys_S[..., None, :], self.kind, self.window, rule)
        return seen_TS

    def keys_of(self, queries: slice, size: int) -> slice:
        """The range of the `size` keys that covers all keys visible to a block of queries."""
        reach = size if self.reach is None else self.reach
        last = queries.stop if self.kind.causal else min(size, queries.stop + reach)
        return slice(max(0, queries.start - reach), last)


def visibility_of(mask: Mask, window: int | None, pattern: AnyPattern | None, context_length: int) -> Visibility:
    """What a layer's queries see. Raises ValueError for a pattern that does not suit the length."""
    if pattern is None:
        return Visibility(mask, window)
    drawn = pattern.draw(causal=MASKS[mask].causal, length=context_length)
    return Visibility(mask, window, pattern, drawn, context_length)


def record_starts(positions_BT: "Tensor") -> "Tensor":
    """Where the record of each place begins in its sequence, from the place's position in it: equal within a record."""
    return positions_BT.new_ones(positions_BT.shape[-1]).cumsum(0) - 1 - positions_BT


def in_record(queries_BT: "Tensor", keys_BS: "Tensor") -> "Tensor":
    """True where a query and a key are of one record, from the `record_starts` of both; [B, T, S]."""
    return queries_BT[..., :, None] == keys_BS[..., None, :]


def sees(query: Any, key: Any, kind: MaskKind, window: int | None, rule: Rule | None = None) -> Any:
    """True where the query at one position sees the key at another: the one predicate of tensors and NumPy arrays.

    A function of plain values, since torch 2.6 cannot compile properties of named tuples.
    """
    conditions = []
    distance = query - key
    if kind.causal:
        conditions.append(distance >= 0)
    if window is not None:
        conditions.append((distance if kind.causal else abs(distance)) < window)
    if kind.pattern is not None:
        conditions.append(kind.pattern(distance))
    if rule is not None:
        conditions.append(rule(query, key))
    return reduce(and_, conditions) if conditions else distance == distance


@cache
def visible_pairs(visibility: Visibility, size: int) -> int:
    """Number of pairs of a query and a key that it sees, in a sequence of `size` positions."""
    if not visibility.needs_matrix:
        return size * (size + 1) // 2 if visibility.kind.causal else size**2
    return sum(int(seen_QS.sum()) for seen_QS in _seen(visibility, size))


def check_pattern(visibility: Visibility, layer: int) -> None:
    """Raises ValueError for a layer with a window beside its pattern, and for a pattern under which some query sees no
    key: at or before it, since a sequence may end at any position."""
    if visibility.pattern is None:
        return
    kind = visibility.pattern.kind
    if visibility.window is not None:
        raise ValueError(
            f"window = {visibility.window} and attention_pattern = {kind} (layer {layer}): a layer has one of the two; "
            "set the other to null"
        )
    if (blind := blind_query(visibility)) is not None:
        raise ValueError(
            f"attention_pattern = {kind} (layer {layer}) leaves the query at position {blind} without keys at or "
            "before it, so its softmax is undefined; let each see itself"
        )


@cache
def blind_query(visibility: Visibility) -> int | None:
    """The first position of the context whose query sees no key at or before it; None when there is none."""
    import numpy as np

    rule = visibility.rule(np.asarray)

    def seen(queries: Any, keys: Any) -> Any:
        return sees(queries, keys, visibility.kind, visibility.window, rule)

    every = np.arange(visibility.context_length)
    # Most see themselves or the first position.
    for query in every[~(seen(every, every) | seen(every, 0 * every))].tolist():
        if not seen(np.full(query + 1, query), np.arange(query + 1)).any():
            return int(query)
    return None


def _seen(visibility: Visibility, size: int) -> Iterator[Any]:
    """seen_QS of some queries after others, and of the keys that they may see, in NumPy."""
    import numpy as np

    rule, step = visibility.rule(np.asarray), max(1, PAIRS_AT_ONCE // max(size, 1))
    for start in range(0, size, step):
        queries = slice(start, min(start + step, size))
        keys = visibility.keys_of(queries, size)
        queries_Q1, keys_S = np.arange(queries.start, queries.stop)[:, None], np.arange(keys.start, keys.stop)
        yield sees(queries_Q1, keys_S, visibility.kind, visibility.window, rule)
