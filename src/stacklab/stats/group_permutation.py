"""The exact test for two unpaired groups: no assumption but that any run could have belonged to either arm."""

import math
from collections.abc import Sequence

from stacklab.base.streams import numpy_stream
from stacklab.stats.bootstrap import mean_or_gap
from stacklab.stats.check import arms_problem, no_spread
from stacklab.stats.result import PValue, Tested, Undefined

MOST_EXACT = 50_000
"""Ways to split the runs between the arms up to which all are gone through: nine against nine."""
DRAWS = 99_999
BATCH = 10_000


def group_permutation(arm: Sequence[float], against: Sequence[float]) -> Tested:
    """Two-sided p value of the difference of the means when the runs are dealt anew to the two arms (Fisher 1935).

    Exact over all splits up to MOST_EXACT. Beyond, over 99,999 random ones and the observed one, from a fixed stream
    (Phipson and Smyth 2010); `method` says which.

    >>> group_permutation([1.0, 2.0, 3.0], [4.0, 5.0, 6.0]).p
    0.1
    """
    if reason := arms_problem(arm, against, least=2):
        return Undefined(reason=reason)
    count = len(arm) + len(against)
    if no_spread([*arm, *against]):
        return Undefined(reason=f"all {count} values are {arm[0]:g}: dealing them anew changes nothing")
    from scipy import stats

    exact = math.comb(count, len(arm)) <= MOST_EXACT
    found = stats.permutation_test(
        (arm, against),
        mean_or_gap,
        vectorized=True,
        n_resamples=MOST_EXACT if exact else DRAWS,
        batch=BATCH,
        rng=numpy_stream(0, "permutation", count),
    )
    how = "exact" if exact else f"Monte Carlo of {DRAWS}"
    return PValue(p=float(found.pvalue), n=count, method=f"permutation of unpaired runs, {how}")


def smallest_permutation_p(runs: int) -> float:
    """The smallest two-sided p value that the exact test can reach with `runs` in each arm.

    >>> smallest_permutation_p(3)
    0.1
    """
    return 2 / math.comb(2 * runs, runs)
