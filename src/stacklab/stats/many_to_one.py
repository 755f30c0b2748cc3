"""The distribution of Dunnett's statistic: several arms against one control."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from stacklab.stats.power import spread_quantiles

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

REACH, POINTS = 8.0, 161
"""Normal scores over which the control's mean and the observed spread are integrated."""


def tail_probability(largest: float, sizes: Sequence[int], control: int) -> float:
    """The probability without an effect that any of the absolute t statistics exceeds `largest` (Dunnett 1955).

    sizes, control: numbers of values of each arm and of the control. By an own integral over the control's mean and the
    spread pooled over all arms, given which the arms are independent; its error is below 1e-9.

    >>> round(tail_probability(2.59, [5, 5, 5], 5), 3)
    0.05
    """
    import numpy as np

    point_P = np.linspace(-REACH, REACH, POINTS)
    weight_P = np.exp(-(point_P**2) / 2) / math.sqrt(2 * math.pi) * (point_P[1] - point_P[0])
    limit_P = largest * spread_quantiles(point_P, sum(sizes) + control - len(sizes) - 1)
    within_PP = np.ones((POINTS, POINTS))
    for size in sizes:
        within_PP *= _within(limit_P, point_P, share=size / (size + control))
    return min(1.0, max(0.0, 1 - float(weight_P @ within_PP @ weight_P)))


def critical_value(sizes: Sequence[int], control: int, *, level: float) -> float:
    """What the largest of all absolute t statistics exceeds with probability `level` without an effect."""
    from scipy import special
    from scipy.optimize import brentq

    degrees = sum(sizes) + control - len(sizes) - 1
    # One comparison needs the least, and all of them at an equal share of the level the most (Bonferroni).
    low, high = (-float(special.stdtrit(degrees, part / 2)) for part in (level, level / len(sizes)))
    return float(brentq(lambda value: tail_probability(value, sizes, control) - level, 0.99 * low, 1.01 * high))


def _within(limit_P: "NDArray[np.float64]", control_P: "NDArray[np.float64]", *, share: float) -> "NDArray[np.float64]":
    """Probability that an arm's statistic lies within each limit, by row, given each mean of the control, by column.

    share: of the variance of the statistic that is the control's.
    """
    from scipy import special

    centre_P, own = math.sqrt(share) * control_P, math.sqrt(1 - share)
    inside_PP: NDArray[np.float64] = special.ndtr((limit_P[:, None] - centre_P) / own)
    inside_PP -= special.ndtr((-limit_P[:, None] - centre_P) / own)
    return inside_PP
