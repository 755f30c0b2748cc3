"""A mean over seeds with its interval, and the exponent of a power law."""

import math
from collections.abc import Sequence

from stacklab.stats.check import not_finite, too_few
from stacklab.stats.result import Estimate, Result, Undefined


def mean(values: Sequence[float]) -> float:
    """The mean, also where the sum of the values exceeds the range of floats."""
    total = sum(values)
    return total / len(values) if math.isfinite(total) else sum(value / len(values) for value in values)


def mean_t(values: Sequence[float], *, level: float = 0.05) -> Result:
    """Mean with Student's t interval; Undefined for fewer than two values. Equal values have an interval of width 0."""
    if reason := too_few(values, 2, what="values") or not_finite(values):
        return Undefined(reason=reason)
    from scipy import stats

    middle = mean(values)
    half = float(stats.t.ppf(1 - level / 2, len(values) - 1) * stats.sem(values)) if len(set(values)) > 1 else 0.0
    return Estimate(value=middle, low=middle - half, high=middle + half, level=1 - level, n=len(values), method="t")


def power(x: Sequence[float], y: Sequence[float]) -> float | Undefined:
    """The exponent p of y ~ x^p: the least-squares slope of log y against log x. `x` must be positive.

    Undefined for fewer than two distinct x, and for a y that is not a positive finite number.

    >>> round(power([1, 2, 4], [3, 6, 12]), 9)
    1.0
    """
    if reason := too_few(sorted(set(x)), 2, what="different sizes") or not_finite(y):
        return Undefined(reason=reason)
    if min(y) <= 0:
        return Undefined(reason=f"{min(y):g} has no logarithm")
    u, v = [math.log(value) for value in x], [math.log(value) for value in y]
    centre, level = sum(u) / len(u), sum(v) / len(v)
    across = sum((a - centre) * (b - level) for a, b in zip(u, v, strict=True))
    return across / sum((a - centre) ** 2 for a in u)
