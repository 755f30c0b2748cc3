"""Differences between arms paired by seed."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from stacklab.base.streams import numpy_stream
from stacklab.stats.bootstrap import bca_bounds
from stacklab.stats.check import differences_problem
from stacklab.stats.result import Estimate, Result, Undefined

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

    With eight pairs or fewer it is too narrow by far (docs/statistics.md); read it beside the t interval. The
    resampling stream is fixed, so the same differences give the same interval.
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
