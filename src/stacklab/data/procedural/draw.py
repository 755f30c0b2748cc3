"""Random choices that stay the same in every Python version."""

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Draw:
    """Choices made from one seed.

    All of them rest on `random.Random.random`, the only part of the standard generators whose sequence Python promises
    to keep from version to version; so a corpus never changes.
    """

    def __init__(self, seed: int) -> None:
        self._uniform = random.Random(seed).random

    def whole(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included."""
        return low + int(self._uniform() * (high - low + 1))

    def pick(self, items: Sequence[T]) -> T:
        """One item."""
        return items[int(self._uniform() * len(items))]

    def some(self, items: Sequence[T], count: int) -> list[T]:
        """`count` different items in random order.

        >>> sorted(Draw(0).some("abc", 3))
        ['a', 'b', 'c']
        """
        rest = list(items)
        for index in range(count):
            other = self.whole(index, len(rest) - 1)
            rest[index], rest[other] = rest[other], rest[index]
        return rest[:count]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """All items in random order."""
        return self.some(items, len(items))
