"""Differences between arms paired by seed: intervals, the t test, equivalence, and the exact sign-flip test."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from stacklab.base.streams import numpy_stream
from stacklab.stats.bootstrap import bca_bounds
from stacklab.stats.check import differences_problem, flat_rows, not_finite, too_few
from stacklab.stats.result import Estimate, PValue, Result, Tested, Undefined

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def t_bounds(differences_RN: "Floats", level: float) -> tuple["Floats", "Floats"]:
    """Ends of Student's t interval of confidence 1 - level for the mean of each of R rows of N differences."""
    from scipy import stats

    count = differences_RN.shape[-1]
    mean_R = differences_RN.mean(axis=-1)
    half_R = stats.t.ppf(1 - level / 2, count - 1) * differences_RN.std(axis=-1, ddof=1) / count**0.5
    return mean_R - half_R, mean_R + half_R


def t_p_above(differences_RN: "Floats", shift: float) -> "Floats":
    """One-sided p values of a mean above `shift`, for each of R rows of N differences.

    By Student's t; where all differences of a row are equal, by exact flips of the signs of what exceeds the shift.
    """
    import numpy as np
    from scipy import special

    count, flat_R = differences_RN.shape[-1], flat_rows(differences_RN)
    beyond_R = differences_RN.mean(axis=-1) - shift
    with np.errstate(divide="ignore", invalid="ignore"):
        t_R = beyond_R / (differences_RN.std(axis=-1, ddof=1) / count**0.5)
    return np.where(flat_R, np.where(beyond_R > 0, 2.0**-count, 1.0), special.stdtr(count - 1, -t_R))


def paired_t(differences: Sequence[float], *, level: float) -> Result:
    """Mean difference with Student's t interval of confidence 1 - level (Student 1908).

    >>> paired_t([1.0], level=0.05).reason
    'needs 2 pairs, has 1'
    """
    if reason := differences_problem(differences):
        return Undefined(reason=reason)
    import numpy as np

    (low,), (high,) = t_bounds(np.array([differences], dtype=float), level)
    return _estimate(differences, low, high, level, "paired t")


def paired_bootstrap(differences: Sequence[float], *, level: float) -> Result:
    """Mean difference with a bias-corrected accelerated bootstrap interval (Efron 1987).

    With eight pairs or fewer it is far too narrow (docs/statistics.md); read it beside the t interval. The resampling
    stream is fixed, so equal differences have equal intervals.
    """
    if reason := differences_problem(differences):
        return Undefined(reason=reason)
    import numpy as np

    low, high = bca_bounds((np.array(differences, dtype=float),), level=level, rng=numpy_stream(0, "bootstrap"))
    return _estimate(differences, float(low), float(high), level, "BCa bootstrap")


def smallest_sign_flip_p(pairs: int) -> float:
    """The smallest two-sided p-value that an exact sign-flip test can reach: 2 / 2^pairs.

    >>> smallest_sign_flip_p(5)
    0.0625
    """
    return float(2 / 2**pairs)


def _estimate(differences: Sequence[float], low: float, high: float, level: float, method: str) -> Estimate:
    mean = sum(differences) / len(differences)
    return Estimate(value=mean, low=float(low), high=float(high), level=1 - level, n=len(differences), method=method)


def paired_t_test(differences: Sequence[float]) -> Tested:
    """Two-sided p value of the mean difference (Student 1908); below `level` exactly where the 1 - level interval
    excludes 0.

    >>> round(paired_t_test([-0.2, -0.3, -0.25]).p, 3)
    0.013
    """
    if reason := differences_problem(differences):
        return Undefined(reason=reason)
    from scipy import stats

    return PValue(p=float(stats.ttest_1samp(differences, 0.0).pvalue), n=len(differences), method="paired t test")


def tost(differences: Sequence[float], *, margin: float) -> Tested:
    """p value of "the mean difference lies outside ±margin": the larger of two one-sided t tests (Schuirmann 1987).

    Below `level` exactly where `tost_interval` at that level lies inside ±margin. The margin, in the unit of the
    differences, must be fixed before the data. Raises ValueError for a margin that is not above 0.
    """
    if not margin > 0:
        raise ValueError(f"margin {margin:g}: expected a number above 0")
    if reason := differences_problem(differences):
        return Undefined(reason=reason)
    from statsmodels.stats.weightstats import DescrStatsW

    p = float(DescrStatsW(differences).ttost_mean(-margin, margin)[0])
    return PValue(p=p, n=len(differences), method="two one-sided paired t tests")


def tost_interval(differences: Sequence[float], *, level: float) -> Result:
    """The paired t interval of confidence 1 - 2 level, which two one-sided tests at `level` compare with the margin."""
    return paired_t(differences, level=2 * level)


MOST_EXACT = 20
DRAWS = 99_999
TOLERANCE = 1e-12
"""Sums that differ by less than this share of the sum of absolute differences are tied."""


def sign_flip(differences: Sequence[float]) -> Tested:
    """Two-sided p value of the mean difference under flips of the signs (Fisher 1935, section 21).

    Exact over all 2^n flips up to n = 20. Beyond, over 99,999 random flips and the observed one, from a fixed stream
    (Phipson and Smyth 2010: p is never 0); `method` says which. Undefined where every difference is 0.

    >>> sign_flip([1.0, 2.0, 3.0, 4.0, 5.0]).p
    0.0625
    """
    if reason := too_few(differences, 1) or not_finite(differences, what="difference"):
        return Undefined(reason=reason)
    import numpy as np

    values = np.asarray(differences, dtype=float)
    if not values.any():
        return Undefined(reason=f"all {len(values)} differences are 0: flipping signs changes nothing")
    reach = abs(values.sum()) - TOLERANCE * np.abs(values).sum()
    if len(values) <= MOST_EXACT:
        p = float(np.mean(np.abs(_all_sums(values)) >= reach))
        return PValue(p=p, n=len(values), method="sign flip, exact")
    drawn = np.abs(_random_sums(values)) >= reach
    return PValue(p=(int(drawn.sum()) + 1) / (DRAWS + 1), n=len(values), method=f"sign flip, Monte Carlo of {DRAWS}")


def _all_sums(values: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """The sum under every flip that keeps the first sign; the others are their mirror images."""
    import numpy as np

    sums = values[:1]
    for value in values[1:]:
        sums = np.concatenate([sums + value, sums - value])
    return sums


def _random_sums(values: "NDArray[np.float64]") -> "NDArray[np.float64]":
    import numpy as np

    rng = numpy_stream(0, "sign flip", len(values))
    sums = np.zeros(DRAWS)
    for value in values:
        sums += value * rng.choice([-1.0, 1.0], size=DRAWS)
    return sums
