"""Search over whole numbers."""

from collections.abc import Callable


def smallest(holds: Callable[[int], bool], *, limit: int, first: int = 1) -> int | None:
    """The smallest number from `first` to `limit` for which `holds`, which must hold for all larger ones too.

    Doubles until it holds, then bisects; the last step goes to `limit` itself. None when it does not hold there.

    >>> smallest(lambda n: n * n >= 50, limit=100), smallest(lambda n: n >= 90, limit=100)
    (8, 90)
    """
    low, high = first - 1, first
    while not holds(high):
        if high >= limit:
            return None
        low, high = high, min(2 * high, limit)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
