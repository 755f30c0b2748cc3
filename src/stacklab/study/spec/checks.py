"""Checks of values that several specs of a study share."""

from collections import Counter
from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T", str, float)

MOST_ARMS = 10_000
"""The most arms of a study, and the most seeds: a plan describes each."""
MOST_RUNS = 100_000
"""The most runs of a study: each has a folder of its own."""


def twice(values: Iterable[T]) -> list[T]:
    """The values that occur more than once, ascending."""
    return sorted(value for value, number in Counter(values).items() if number > 1)


def check_distinct(values: tuple[float, ...]) -> tuple[float, ...]:
    """The values unchanged. Raises ValueError for a repeated one."""
    if repeated := twice(values):
        raise ValueError(f"{repeated[0]:g} appears twice")
    return values


def check_seeds(seeds: tuple[int, ...]) -> tuple[int, ...]:
    """The seeds unchanged. Raises ValueError for an empty list, too many seeds, and a negative or repeated one."""
    if not seeds:
        raise ValueError("at least one seed is needed")
    check_number_of_seeds(len(seeds))
    if repeated := twice(seeds):
        raise ValueError(f"seed {repeated[0]} appears twice; a repeated seed is the same run, not another sample")
    if min(seeds) < 0:
        raise ValueError(f"seed {min(seeds)} is negative")
    return seeds


def check_number_of_seeds(number: int) -> None:
    """Raises ValueError for more seeds than a plan describes. Call it before they are listed."""
    if number > MOST_ARMS:
        raise ValueError(f"{number:,} seeds, expected at most {MOST_ARMS:,}, since every seed is a run of each arm")
