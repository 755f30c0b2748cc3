"""Long streams in short lists."""

import itertools
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def grouped(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of `size` items in order, the last one shorter."""
    rest = iter(items)
    while group := list(itertools.islice(rest, size)):
        yield group
