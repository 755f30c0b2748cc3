"""Fields that several tasks have."""

from pydantic import AfterValidator

MOST = 1_000_000
"""More of anything is a slip, which is refused before memory is asked for."""


def _check(numbers: tuple[int, ...]) -> tuple[int, ...]:
    if list(numbers) != sorted(set(numbers)):
        raise ValueError(f"{list(numbers)}: name each number once, in ascending order")
    return numbers


Ascending = AfterValidator(_check)
