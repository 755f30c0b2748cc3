"""A mean over seeds with its interval."""

from collections.abc import Sequence

from stacklab.stats.check import not_finite, too_few
from stacklab.stats.result import Estimate, Result, Undefined


def mean_t(values: Sequence[float], *, level: float = 0.05) -> Result:
    """Mean with Student's t interval; Undefined for fewer than two values. Equal values have an interval of width 0."""
    if reason := too_few(values, 2, what="values") or not_finite(values):
        return Undefined(reason=reason)
    from scipy import stats

    mean = sum(values) / len(values)
    half = float(stats.t.ppf(1 - level / 2, len(values) - 1) * stats.sem(values)) if len(set(values)) > 1 else 0.0
    return Estimate(value=mean, low=mean - half, high=mean + half, level=1 - level, n=len(values), method="t")
