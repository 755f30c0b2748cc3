"""Two arms whose runs cannot be paired."""

from collections.abc import Sequence

from stacklab.stats.check import arms_problem, no_spread
from stacklab.stats.result import Estimate, Result, Undefined


def welch(arm: Sequence[float], against: Sequence[float], *, level: float) -> Result:
    """Difference of means, arm minus against, with Welch's t interval (Welch 1947): spreads may differ.

    A fallback: what both arms share at a seed is not taken out, so the interval is usually wider than a paired one.

    >>> welch([1.0], [2.0, 3.0], level=0.05).reason
    'the arm needs 2 values, has 1'
    """
    if reason := arms_problem(arm, against, least=2):
        return Undefined(reason=reason)
    if no_spread(arm) and no_spread(against):
        return Undefined(reason="neither arm varies: no spread to judge by")
    from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

    left, right = DescrStatsW(arm), DescrStatsW(against)
    low, high = CompareMeans(left, right).tconfint_diff(alpha=level, usevar="unequal")
    return Estimate(
        value=float(left.mean - right.mean),
        low=float(low),
        high=float(high),
        level=1 - level,
        n=len(arm) + len(against),
        method="Welch, unpaired",
    )
