"""Values in [0, 1], such as accuracies of tasks that a seed solves or does not.

A t interval sees only the scatter that it was shown: n seeds that all solve leave a share of failures of up to
1 - level^(1/n) open. So conclusions about such values must also hold with one more seed at the worst end.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

SOLVED = 0.95
"""Accuracy from which a seed counts as one that solves, where a study states no other."""


def with_worst_seed(higher_RN: "Floats", lower_RN: "Floats") -> Iterator[tuple["Floats", "Floats"]]:
    """Both arms with one more seed that speaks most against `higher` being above `lower`, in two ways.

    `higher` fails, at 0, where `lower` is as good as it ever was; or `lower` solves, at 1, where `higher` is as bad as
    it ever was.
    """
    import numpy as np

    count = len(higher_RN)
    for high_R, low_R in ((np.zeros(count), lower_RN.max(axis=1)), (higher_RN.min(axis=1), np.ones(count))):
        yield np.column_stack([higher_RN, high_R]), np.column_stack([lower_RN, low_R])


def unseen(way_R: "Floats", *, seeds: int) -> "Floats":
    """The probability that `seeds` seeds show no failure, where failures are just frequent enough to move the mean by
    `way_R`: (1 - way)^seeds, for differences of values in [0, 1]; 1 for a way below 0.

    >>> import numpy as np
    >>> unseen(np.array([0.05]), seeds=59).round(3), unseen(np.array([0.05]), seeds=3).round(3)
    (array([0.048]), array([0.857]))
    """
    import numpy as np

    return (1.0 - np.clip(way_R, 0.0, 1.0)) ** seeds


def solving(values: Sequence[float], *, solved: float = SOLVED) -> int:
    """The number of seeds that solve."""
    return sum(value >= solved for value in values)
