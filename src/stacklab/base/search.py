"""Search over whole numbers."""

from collections.abc import Callable


def smallest(holds: Callable[[int], bool], *, limit: int, first: int = 1) -> int | None:
    """The smallest number from `first` on for which `holds`, which must hold for all larger ones too.

    Doubles until it holds, then bisects. None when it does not hold before the doubling exceeds `limit`.

    >>> smallest(lambda n: n * n >= 50, limit=100), smallest(lambda n: False, limit=100)
    (8, None)
    """
    low, high = first - 1, first
    while not holds(high):
        low, high = high, 2 * high
        if high > limit:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
