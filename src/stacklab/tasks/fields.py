"""Fields that several tasks have."""

from pydantic import AfterValidator


def _check(numbers: tuple[int, ...]) -> tuple[int, ...]:
    if list(numbers) != sorted(set(numbers)):
        raise ValueError(f"{list(numbers)}: name each number once, in ascending order")
    return numbers


Ascending = AfterValidator(_check)
