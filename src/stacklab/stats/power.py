"""Power of t tests. Effects are differences of means in standard deviations of the design's unit."""

import math
from typing import NamedTuple

QUANTILES = 2_000
"""Points over which the observed spread is integrated."""


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

    It counts both sides, so it is `level` at effect 0 (Cohen 1988, chapter 2; non-central t, by statsmodels). Raises
    ValueError for a design without degrees of freedom, which allows no test, and for an effect that is not finite.

    >>> round(difference_power(1.0, paired_design(10), level=0.05), 2)
    0.8
    """
    _check(effect, design)
    from statsmodels.stats.power import ttest_power

    reached = float(ttest_power(effect, design.size, level, df=design.degrees))
    # statsmodels returns nan for the power of a huge effect, which is 1.
    return 1.0 if math.isnan(reached) else reached


def equivalence_power(effect: float, margin: float, design: Design, *, level: float) -> float:
    """Power of two one-sided t tests, each at `level`, to show that the effect lies within ±margin (both in units).

    By integrating over the observed spread (Phillips 1990), which statsmodels has for z tests only.

    >>> round(equivalence_power(0.0, 1.0, paired_design(12), level=0.05), 2)
    0.89
    """
    _check(effect, design)
    import numpy as np
    from scipy import special, stats

    middles = (np.arange(QUANTILES) + 0.5) / QUANTILES
    spread = np.sqrt(stats.chi2.ppf(middles, design.degrees) / design.degrees)
    taken = stats.t.ppf(1 - level, design.degrees) * spread
    root = math.sqrt(design.size)
    inside = special.ndtr((margin - effect) * root - taken) - special.ndtr((-margin - effect) * root + taken)
    return float(np.maximum(inside, 0.0).mean())


def _check(effect: float, design: Design) -> None:
    if design.degrees < 1 or not math.isfinite(effect):
        raise ValueError(
            f"power of an effect of {effect:g} with {design.degrees} degrees of freedom: needs one and a finite effect"
        )
