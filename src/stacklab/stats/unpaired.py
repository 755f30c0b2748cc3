"""A difference where the runs of two arms cannot be paired: wider than the paired one, and named as such."""

from collections.abc import Sequence

from stacklab.stats.check import arms_problem, no_spread
from stacklab.stats.result import Estimate, Result, Undefined


def welch(arm: Sequence[float], against: Sequence[float], *, level: float) -> Result:
    """Difference of the means, arm minus against, with Welch's interval (Welch 1947). `n` counts the values of both."""
    if reason := arms_problem(arm, against, least=2):
        return Undefined(reason=reason)
    if no_spread(arm) and no_spread(against):
        return Undefined(reason="neither arm varies: no spread to judge by")
    from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

    # scipy's ttest_ind warns where one of the arms does not vary.
    low, high = CompareMeans(DescrStatsW(arm), DescrStatsW(against)).tconfint_diff(alpha=level, usevar="unequal")
    return Estimate(
        value=sum(arm) / len(arm) - sum(against) / len(against),
        low=float(low),
        high=float(high),
        level=1 - level,
        n=len(arm) + len(against),
        method="Welch, unpaired",
    )
