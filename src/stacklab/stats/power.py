"""Power of t tests. Effects are differences of means in standard deviations of the design's unit."""

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

QUANTILES = 2_000
"""Quantiles of the observed spread over which the power of an equivalence is integrated."""
REACH, POINTS = 9.0, 901
"""The power of a difference is integrated over this many normal scores up to this one."""
LARGE = 1e100
"""Larger ratios are cut, since their squares overflow."""


class Design(NamedTuple):
    """The information in a design: the mean difference has the variance of one unit divided by `size`."""

    size: float
    degrees: int


def paired_design(pairs: int) -> Design:
    """The unit is a paired difference."""
    return Design(pairs, pairs - 1)


def unpaired_design(runs: int) -> Design:
    """`runs` in each arm; the unit is a run. Degrees of freedom as if both arms varied alike."""
    return Design(runs / 2, 2 * runs - 2)


def difference_power(effect: float, design: Design, *, level: float) -> float:
    """Power of the two-sided t test: the probability that its 1 - level interval excludes 0.

    It counts both sides, so it is `level` at effect 0. The test rejects where a normal variable about the
    non-centrality exceeds the critical value times the observed spread (Cohen 1988, chapter 2); that is integrated
    over the one of the two that varies more, so that the integrand is smooth for any effect and any degrees of
    freedom. The error is below 5e-6. Raises ValueError for a design without degrees of freedom, which allows no test,
    for an effect that is not finite, and for a level outside (0, 1).

    >>> round(difference_power(1.0, paired_design(10), level=0.05), 2)
    0.8
    """
    _check(effect, design, level)
    import numpy as np
    from scipy import special

    degrees, centre = design.degrees, abs(effect) * math.sqrt(design.size)
    critical = -float(special.stdtrit(degrees, level / 2))
    point_P = np.linspace(-REACH, REACH, POINTS)
    weight_P = np.exp(-(point_P**2) / 2) / math.sqrt(2 * math.pi) * (point_P[1] - point_P[0])
    if critical < math.sqrt(2 * degrees):
        # The critical spread varies by less than the normal variable does: by quantiles of the spread.
        taken_P = critical * spread_quantiles(point_P, degrees)
        found_P = special.ndtr(centre - taken_P) + special.ndtr(-centre - taken_P)
    else:
        share_P = np.minimum(np.abs(centre + point_P) / critical, LARGE)
        found_P = special.gammainc(degrees / 2, degrees / 2 * share_P**2)
    return float(min(1.0, weight_P @ found_P))


def spread_quantiles(point_P: "NDArray[np.float64]", degrees: int) -> "NDArray[np.float64]":
    """Quantiles of the observed spread, in units of the true one, at normal scores."""
    import numpy as np
    from scipy import special

    half, tail_P = degrees / 2, special.ndtr(-np.abs(point_P))
    squared_P = np.where(point_P < 0, special.gammaincinv(half, tail_P), special.gammainccinv(half, tail_P)) / half
    root_P: NDArray[np.float64] = np.sqrt(squared_P)
    return root_P


def equivalence_power(effect: float, margin: float, design: Design, *, level: float) -> float:
    """Power of two one-sided t tests, each at `level`, to show that the effect lies within ±margin (both in units).

    By integrating over the observed spread (Phillips 1990), which statsmodels has for z tests only.

    >>> round(equivalence_power(0.0, 1.0, paired_design(12), level=0.05), 2)
    0.89
    """
    _check(effect, design, level)
    import numpy as np
    from scipy import special, stats

    middles = (np.arange(QUANTILES) + 0.5) / QUANTILES
    spread = np.sqrt(stats.chi2.ppf(middles, design.degrees) / design.degrees)
    taken = stats.t.ppf(1 - level, design.degrees) * spread
    root = math.sqrt(design.size)
    inside = special.ndtr((margin - effect) * root - taken) - special.ndtr((-margin - effect) * root + taken)
    return float(np.maximum(inside, 0.0).mean())


def _check(effect: float, design: Design, level: float) -> None:
    if design.degrees < 1 or not math.isfinite(effect):
        raise ValueError(
            f"power of an effect of {effect:g} with {design.degrees} degrees of freedom: needs one and a finite effect"
        )
    if not 0 < level < 1:
        raise ValueError(f"power at level {level:g}: expected a number between 0 and 1")
