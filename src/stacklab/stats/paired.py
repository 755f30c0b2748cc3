"""Differences between arms paired by seed."""

import math
import statistics
from collections.abc import Sequence

from stacklab.base.streams import numpy_stream
from stacklab.stats.result import Estimate, Result, Undefined

RESAMPLES = 9_999
MOST_PAIRS = 10_000


def paired_t(differences: Sequence[float], *, level: float) -> Result:
    """Mean difference with Student's t interval of confidence 1 - level (Student 1908).

    >>> paired_t([1.0], level=0.05).reason
    'needs 2 pairs, has 1'
    """
    if reason := _undefined(differences):
        return Undefined(reason=reason)
    from scipy import stats

    mean, count = statistics.fmean(differences), len(differences)
    half = float(stats.t.ppf(1 - level / 2, count - 1)) * statistics.stdev(differences) / count**0.5
    return _estimate(differences, mean - half, mean + half, level, "paired t")


def paired_bootstrap(differences: Sequence[float], *, level: float) -> Result:
    """Mean difference with a bias-corrected accelerated bootstrap interval (Efron 1987).

    With five pairs or fewer it is too narrow; read it beside the t interval. The resampling stream is fixed, so the
    same differences give the same interval.
    """
    if reason := _undefined(differences):
        return Undefined(reason=reason)
    from scipy import stats

    rng = numpy_stream(0, "bootstrap")
    found = stats.bootstrap(
        (list(differences),),
        lambda x, axis: x.mean(axis=axis),
        n_resamples=RESAMPLES,
        confidence_level=1 - level,
        method="BCa",
        rng=rng,
    ).confidence_interval
    return _estimate(differences, found.low, found.high, level, "BCa bootstrap")


def pairs_needed(differences: Sequence[float], *, level: float, power: float = 0.8) -> int | None:
    """Pairs that a two-sided paired t test needs to find the observed effect with the given power.

    The smallest number whose power suffices. None when the effect or its spread is undefined, or when more than
    MOST_PAIRS would be needed. The observed effect is itself uncertain: a rough guide.
    """
    if _undefined(differences):
        return None
    from statsmodels.stats.power import TTestPower

    effect = abs(statistics.fmean(differences)) / statistics.stdev(differences)

    def suffices(pairs: int) -> bool:
        # The power of a huge effect comes out as nan, where it is 1.
        reached = float(TTestPower().power(effect, nobs=pairs, alpha=level))
        return reached >= power or math.isnan(reached)

    low, high = 1, 2
    while not suffices(high):
        low, high = high, high * 2
        if high > MOST_PAIRS:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if suffices(middle) else (middle, high)
    return high


def smallest_sign_flip_p(pairs: int) -> float:
    """The smallest two-sided p-value that an exact sign-flip test can reach: 2 / 2^pairs.

    >>> smallest_sign_flip_p(5)
    0.0625
    """
    return float(2 / 2**pairs)


def _undefined(differences: Sequence[float]) -> str:
    if len(differences) < 2:
        return f"needs 2 pairs, has {len(differences)}"
    if len(set(differences)) == 1:
        return f"all {len(differences)} differences are {differences[0]:g}: no spread to judge by"
    return ""


def _estimate(differences: Sequence[float], low: float, high: float, level: float, method: str) -> Estimate:
    mean = sum(differences) / len(differences)
    return Estimate(value=mean, low=float(low), high=float(high), level=1 - level, n=len(differences), method=method)
