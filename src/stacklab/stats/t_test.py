"""The test behind the t interval."""

from collections.abc import Sequence

from stacklab.stats.check import differences_problem
from stacklab.stats.result import PValue, Tested, Undefined


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
