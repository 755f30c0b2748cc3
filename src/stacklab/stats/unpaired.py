"""Differences between two groups of runs that are not paired: Welch's interval and tests, and a permutation test;
and Dunnett's test of several arms against one control."""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from stacklab.base.spec import Spec
from stacklab.base.streams import numpy_stream
from stacklab.stats.bootstrap import bca_bounds, mean_or_gap
from stacklab.stats.check import ROUNDING, arms_problem, flat_rows, no_spread, not_finite, too_few
from stacklab.stats.power import spread_quantiles
from stacklab.stats.result import Estimate, PValue, Result, Tested, Undefined

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


REACH, POINTS = 8.0, 161
"""Normal scores over which the control's mean and the observed spread are integrated."""


def tail_probability(largest: float, sizes: Sequence[int], control: int) -> float:
    """The probability without an effect that any of the absolute t statistics exceeds `largest` (Dunnett 1955).

    sizes, control: numbers of values of each arm and of the control. By an own integral over the control's mean and the
    spread pooled over all arms, given which the arms are independent; its error is below 1e-9.

    >>> round(tail_probability(2.59, [5, 5, 5], 5), 3)
    0.05
    """
    import numpy as np

    point_P = np.linspace(-REACH, REACH, POINTS)
    weight_P = np.exp(-(point_P**2) / 2) / math.sqrt(2 * math.pi) * (point_P[1] - point_P[0])
    limit_P = largest * spread_quantiles(point_P, sum(sizes) + control - len(sizes) - 1)
    within_PP = np.ones((POINTS, POINTS))
    for size in sizes:
        within_PP *= _within(limit_P, point_P, share=size / (size + control))
    return min(1.0, max(0.0, 1 - float(weight_P @ within_PP @ weight_P)))


def critical_value(sizes: Sequence[int], control: int, *, level: float) -> float:
    """What the largest of all absolute t statistics exceeds with probability `level` without an effect."""
    from scipy import special
    from scipy.optimize import brentq

    degrees = sum(sizes) + control - len(sizes) - 1
    # One comparison needs the least, and all of them at an equal share of the level the most (Bonferroni).
    low, high = (-float(special.stdtrit(degrees, part / 2)) for part in (level, level / len(sizes)))
    return float(brentq(lambda value: tail_probability(value, sizes, control) - level, 0.99 * low, 1.01 * high))


def _within(limit_P: "NDArray[np.float64]", control_P: "NDArray[np.float64]", *, share: float) -> "NDArray[np.float64]":
    """Probability that an arm's statistic lies within each limit, by row, given each mean of the control, by column.

    share: of the variance of the statistic that is the control's.
    """
    from scipy import special

    centre_P, own = math.sqrt(share) * control_P, math.sqrt(1 - share)
    inside_PP: NDArray[np.float64] = special.ndtr((limit_P[:, None] - centre_P) / own)
    inside_PP -= special.ndtr((-limit_P[:, None] - centre_P) / own)
    return inside_PP


def groups_problem(arm: Sequence[float], against: Sequence[float]) -> str:
    """Why two unpaired groups allow no interval: too few, not finite, or both without spread. Empty if they do."""
    if reason := arms_problem(arm, against, least=2):
        return reason
    return "neither arm varies: no spread to judge by" if no_spread(arm) and no_spread(against) else ""


def welch_bounds(arm_RM: "Floats", against_RN: "Floats", level: float) -> tuple["Floats", "Floats"]:
    """Ends of Welch's interval of confidence 1 - level for each of R rows; NaN where neither arm varies."""
    import numpy as np

    with np.errstate(invalid="ignore"):
        low_R, high_R = _compared(arm_RM.T, against_RN.T).tconfint_diff(alpha=level, usevar="unequal")
    flat_R = flat_rows(arm_RM) & flat_rows(against_RN)
    return np.where(flat_R, np.nan, low_R), np.where(flat_R, np.nan, high_R)


def welch_p_above(arm_RM: "Floats", against_RN: "Floats", shift: float) -> "Floats":
    """One-sided p values of a difference of the means above `shift`, for each of R rows.

    By Welch's t; where neither arm varies, by the exact permutation of the runs.
    """
    import numpy as np
    from scipy import special

    sizes = arm_RM.shape[1], against_RN.shape[1]
    own_R, other_R = arm_RM.var(axis=1, ddof=1) / sizes[0], against_RN.var(axis=1, ddof=1) / sizes[1]
    means = arm_RM.mean(axis=1), against_RN.mean(axis=1)
    beyond_R = means[0] - means[1] - shift
    # Means that differ by a rounding error are equal.
    beyond_R[np.abs(beyond_R) <= ROUNDING * np.maximum(*map(np.abs, means))] = 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        t_R = beyond_R / np.sqrt(own_R + other_R)
        degrees_R = (own_R + other_R) ** 2 / (own_R**2 / (sizes[0] - 1) + other_R**2 / (sizes[1] - 1))
    flat_R = flat_rows(arm_RM) & flat_rows(against_RN)
    smallest = 1 / math.comb(sum(sizes), sizes[0])
    return np.where(flat_R, np.where(beyond_R > 0, smallest, 1.0), special.stdtr(degrees_R, -t_R))


def welch(arm: Sequence[float], against: Sequence[float], *, level: float) -> Result:
    """Difference of the means, arm minus against, with Welch's interval (Welch 1947). `n` counts the values of both."""
    if reason := groups_problem(arm, against):
        return Undefined(reason=reason)
    import numpy as np

    (low,), (high,) = welch_bounds(np.array([arm], dtype=float), np.array([against], dtype=float), level)
    return _estimate(arm, against, low, high, level, "Welch, unpaired")


def unpaired_bootstrap(arm: Sequence[float], against: Sequence[float], *, level: float) -> Result:
    """Difference of the means, resampling both groups, with a bias-corrected accelerated interval (Efron 1987).

    Too narrow with few runs, like the paired one; its stream is fixed as well.
    """
    if reason := groups_problem(arm, against):
        return Undefined(reason=reason)
    import numpy as np

    samples = np.array(arm, dtype=float), np.array(against, dtype=float)
    low, high = bca_bounds(samples, level=level, rng=numpy_stream(0, "bootstrap"))
    return _estimate(arm, against, float(low), float(high), level, "BCa bootstrap, unpaired")


def welch_test(arm: Sequence[float], against: Sequence[float]) -> Tested:
    """Two-sided p value of the difference of the means (Welch 1947); it agrees with the interval of `welch`."""
    if reason := groups_problem(arm, against):
        return Undefined(reason=reason)
    p = float(_compared(arm, against).ttest_ind(usevar="unequal")[1])
    return PValue(p=p, n=len(arm) + len(against), method="Welch t test, unpaired")


def welch_tost(arm: Sequence[float], against: Sequence[float], *, margin: float) -> Tested:
    """p value of "the means differ by more than the margin": the larger of two one-sided Welch t tests (Schuirmann
    1987). Raises ValueError for a margin that is not above 0.
    """
    if not margin > 0:
        raise ValueError(f"margin {margin:g}: expected a number above 0")
    if reason := groups_problem(arm, against):
        return Undefined(reason=reason)
    p = float(_compared(arm, against).ttost_ind(-margin, margin, usevar="unequal")[0])
    return PValue(p=p, n=len(arm) + len(against), method="two one-sided Welch t tests, unpaired")


def solving_test(arm: Sequence[float], against: Sequence[float], *, solved: float) -> PValue:
    """Two-sided exact p value of a difference in the share of seeds that solve, with a value of at least `solved`
    (Fisher 1935). `method` has the counts.

    >>> round(solving_test([1.0] * 5, [0.1] * 5, solved=0.95).p, 4)
    0.0079
    """
    from scipy import stats

    counts = [sum(value >= solved for value in values) for values in (arm, against)]
    sizes = [len(arm), len(against)]
    table = [[count, size - count] for count, size in zip(counts, sizes, strict=True)]
    shares = " against ".join(f"{count} of {size}" for count, size in zip(counts, sizes, strict=True))
    p = min(1.0, float(stats.fisher_exact(table).pvalue))
    return PValue(p=p, n=sum(sizes), method=f"Fisher's exact test of seeds with at least {solved:g}: {shares}")


def _compared(arm: Any, against: Any) -> Any:
    """The comparison by statsmodels, since scipy's ttest_ind warns where one of the arms does not vary."""
    from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

    return CompareMeans(DescrStatsW(arm), DescrStatsW(against))


def _estimate(
    arm: Sequence[float], against: Sequence[float], low: float, high: float, level: float, method: str
) -> Estimate:
    value, count = sum(arm) / len(arm) - sum(against) / len(against), len(arm) + len(against)
    return Estimate(value=value, low=float(low), high=float(high), level=1 - level, n=count, method=method)


MOST_EXACT = 50_000
"""The largest number of ways to split the runs between the arms that is enumerated: nine against nine."""
DRAWS = 99_999
BATCH = 10_000


def group_permutation(arm: Sequence[float], against: Sequence[float]) -> Tested:
    """Two-sided p value of the difference of the means when the runs are reassigned to the two arms (Fisher 1935).

    Exact over all splits up to MOST_EXACT. Beyond, over 99,999 random ones and the observed one, from a fixed stream
    (Phipson and Smyth 2010); `method` says which.

    >>> group_permutation([1.0, 2.0, 3.0], [4.0, 5.0, 6.0]).p
    0.1
    """
    if reason := arms_problem(arm, against, least=2):
        return Undefined(reason=reason)
    count = len(arm) + len(against)
    if no_spread([*arm, *against]):
        return Undefined(reason=f"all {count} values are {arm[0]:g}: reassigning them changes nothing")
    from scipy import stats

    exact = math.comb(count, len(arm)) <= MOST_EXACT
    test = stats.permutation_test(
        (arm, against),
        mean_or_gap,
        vectorized=True,
        n_resamples=MOST_EXACT if exact else DRAWS,
        batch=BATCH,
        rng=numpy_stream(0, "permutation", count),
    )
    how = "exact" if exact else f"Monte Carlo of {DRAWS}"
    return PValue(p=float(test.pvalue), n=count, method=f"permutation of unpaired runs, {how}")


def smallest_permutation_p(runs: int) -> float:
    """The smallest two-sided p value that the exact test can reach with `runs` in each arm.

    >>> smallest_permutation_p(3)
    0.1
    """
    return 2 / math.comb(2 * runs, runs)


METHOD = "Dunnett, unpaired"


class Compared(Spec):
    """One arm against the control: the adjusted p value, and the difference with its simultaneous interval."""

    p: Tested
    difference: Result


def dunnett(arms: Mapping[str, Sequence[float]], control: Sequence[float], *, level: float) -> dict[str, Compared]:
    """Every arm minus the control, two-sided, with family-wise error `level` (Dunnett 1955).

    It takes the values as independent with one variance for all arms and ignores the pairing by seed, which costs power
    where paired runs correlate. An arm that cannot be judged is Undefined and leaves the family.
    """
    problems = {name: _problem(values) for name, values in arms.items()}
    if reason := _problem(control):
        problems = dict.fromkeys(arms, f"the control {reason}")
    kept = [name for name, problem in problems.items() if not problem]
    if kept and all(no_spread(values) for values in (control, *(arms[name] for name in kept))):
        problems, kept = dict.fromkeys(arms, "no arm varies: no spread to judge by"), []
    judged = _judge({name: arms[name] for name in kept}, control, level) if kept else {}
    return {name: judged[name] if name in judged else _undefined(problems[name]) for name in arms}


def _judge(arms: Mapping[str, Sequence[float]], control: Sequence[float], level: float) -> dict[str, Compared]:
    sizes = [len(values) for values in arms.values()]
    critical = critical_value(sizes, len(control), level=level)
    groups = [control, *arms.values()]
    squares = sum((len(values) - 1) * statistics.variance(values) for values in groups)
    pooled, centre = math.sqrt(squares / sum(len(values) - 1 for values in groups)), statistics.fmean(control)
    compared = {}
    for name, values in arms.items():
        gap, error = statistics.fmean(values) - centre, pooled * math.sqrt(1 / len(values) + 1 / len(control))
        count, half = len(values) + len(control), critical * error
        difference = Estimate(value=gap, low=gap - half, high=gap + half, level=1 - level, n=count, method=METHOD)
        p = PValue(p=tail_probability(abs(gap) / error, sizes, len(control)), n=count, method=METHOD)
        compared[name] = Compared(p=p, difference=difference)
    return compared


def _problem(values: Sequence[float]) -> str:
    return too_few(values, 2, what="values") or not_finite(values)


def _undefined(reason: str) -> Compared:
    return Compared(p=Undefined(reason=reason), difference=Undefined(reason=reason))
