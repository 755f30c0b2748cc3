"""Two one-sided tests: whether a difference is small enough to count as none."""

from collections.abc import Sequence

from stacklab.stats.check import differences_problem
from stacklab.stats.paired import paired_t
from stacklab.stats.result import PValue, Result, Tested, Undefined


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
