"""Streams in lists of limited size."""

import itertools
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def grouped(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of `size` items in order; the last one may be shorter."""
    rest = iter(items)
    while group := list(itertools.islice(rest, size)):
        yield group
