"""Fields that several tasks have."""

from pydantic import AfterValidator

MOST = 1_000_000
"""The largest size that a task takes: more is a mistake, refused before memory is allocated."""


def _check(numbers: tuple[int, ...]) -> tuple[int, ...]:
    if list(numbers) != sorted(set(numbers)):
        raise ValueError(f"{list(numbers)}: name each number once, in ascending order")
    return numbers


Ascending = AfterValidator(_check)
