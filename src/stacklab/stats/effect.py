"""Effect sizes: differences in units that compare across metrics."""

import math
import statistics
from collections.abc import Sequence

from stacklab.stats.check import arms_problem, differences_problem, no_spread, pairs_problem
from stacklab.stats.result import Estimate, Result, Undefined
from stacklab.stats.unpaired import groups_problem

QUANTILES = 2_000
"""Points over which the non-central t distribution is integrated."""
NEAR = 1e-12


def paired_superiority(arm: Sequence[float], against: Sequence[float], *, level: float) -> Result:
    """Share of pairs in which `arm` is lower than `against`; a tie counts half. Swap them where higher is better.

    The interval is Clopper and Pearson's (1934), which holds its level at any number of pairs.
    Raises ValueError where the arms differ in length.

    >>> share = paired_superiority([1.0, 2.0, 3.0], [2.0, 3.0, 3.0], level=0.05)
    >>> round(share.value, 3), share.n
    (0.833, 3)
    """
    if reason := pairs_problem(arm, against, least=1):
        return Undefined(reason=reason)
    from statsmodels.stats.proportion import proportion_confint

    wins = sum(_win(left, right) for left, right in zip(arm, against, strict=True))
    low, high = proportion_confint(wins, len(arm), alpha=level, method="beta")
    return _estimate(wins / len(arm), low, high, level, len(arm), "share of pairs, Clopper-Pearson")


def unpaired_superiority(arm: Sequence[float], against: Sequence[float], *, level: float) -> Result:
    """Probability that a value of `arm` is lower than one of `against`, ties half: Mann and Whitney's U / (m n).

    The interval is method 5 of Newcombe (2006, Statistics in Medicine 25, 559-573), which has a width also where one
    arm is wholly below the other.
    """
    if reason := arms_problem(arm, against, least=2):
        return Undefined(reason=reason)
    from scipy import stats
    from scipy.optimize import brentq

    m, n = len(arm), len(against)
    share = float(stats.mannwhitneyu(against, arm, method="asymptotic").statistic) / (m * n)
    z = float(stats.norm.ppf(1 - level / 2))

    def beyond(theta: float) -> float:
        """Squared distance of theta from the share, less that which z standard errors at theta allow."""
        spread = 1 + ((m + n) / 2 - 1) * ((1 - theta) / (2 - theta) + theta / (1 + theta))
        return (theta - share) ** 2 - z**2 * theta * (1 - theta) * spread / (m * n)

    # At a share of 0 or 1 the equation has a root there too, which is not the end of the interval.
    low = 0.0 if share == 0 else brentq(beyond, 0.0, min(share, 1 - NEAR))
    high = 1.0 if share == 1 else brentq(beyond, max(share, NEAR), 1.0)
    return _estimate(share, low, high, level, m + n, "Mann-Whitney, Newcombe's method 5")


def effect_size(differences: Sequence[float], *, level: float) -> Result:
    """Mean difference in standard deviations of the difference (d_z), Hedges-corrected for few pairs (Hedges 1981).

    The interval inverts the non-central t distribution (Steiger and Fouladi 1997), which is exact for normal
    differences and needs no correction. Undefined below 3 pairs, where the correction is 0.
    """
    if reason := differences_problem(differences, least=3):
        return Undefined(reason=reason)
    count = len(differences)
    root = count**0.5
    return _standardised(
        statistics.fmean(differences) / statistics.stdev(differences), root, count - 1, level, count, "Hedges d_z"
    )


def unpaired_effect_size(arm: Sequence[float], against: Sequence[float], *, level: float) -> Result:
    """Difference of the means in pooled standard deviations of a run: Hedges' g (Hedges 1981).

    The interval inverts the non-central t distribution, which is exact for normal runs that vary alike in both arms.
    """
    if reason := groups_problem(arm, against):
        return Undefined(reason=reason)
    m, n = len(arm), len(against)
    gap = statistics.fmean(arm) - statistics.fmean(against)
    root = (m * n / (m + n)) ** 0.5
    return _standardised(gap / pooled_spread(arm, against), root, m + n - 2, level, m + n, "Hedges g, unpaired")


def pooled_spread(arm: Sequence[float], against: Sequence[float]) -> float:
    """Standard deviation of a run about the mean of its arm."""
    squares = sum((len(values) - 1) * statistics.variance(values) for values in (arm, against))
    return math.sqrt(squares / (len(arm) + len(against) - 2))


def pair_correlation(arm: Sequence[float], against: Sequence[float], *, level: float) -> Result:
    """Pearson correlation between the paired values of two arms, with Fisher's interval (Fisher 1921).

    It measures what pairing by seed gains: the variance of a difference is 2 (1 - correlation) times that of one run,
    where both arms vary alike. Undefined below 4 pairs, which allow no interval, and where an arm does not vary. Raises
    ValueError where the arms differ in length.
    """
    if reason := pairs_problem(arm, against, least=4):
        return Undefined(reason=reason)
    for values in (arm, against):
        if no_spread(values):
            return Undefined(reason=f"all {len(values)} values of an arm are {values[0]:g}: nothing to correlate")
    from scipy import stats

    correlation = stats.pearsonr(arm, against)
    value = float(correlation.statistic)
    if 1 - abs(value) < NEAR:
        return Undefined(reason=f"the pairs lie on a line (correlation {value:g}): no interval")
    low, high = correlation.confidence_interval(1 - level)
    return _estimate(value, low, high, level, len(arm), "Pearson, Fisher's z")


def _win(arm: float, against: float) -> float:
    return 1.0 if arm < against else 0.5 if arm == against else 0.0


def _estimate(value: float, low: float, high: float, level: float, count: int, method: str) -> Estimate:
    return Estimate(value=value, low=float(low), high=float(high), level=1 - level, n=count, method=method)


def _standardised(effect: float, root: float, degrees: int, level: float, count: int, method: str) -> Estimate:
    """An effect in observed standard deviations, corrected for few values; `root` times it is the t statistic."""
    low, high = (_noncentrality(effect * root, degrees, below) / root for below in (1 - level / 2, level / 2))
    return _estimate(effect * _hedges(degrees), low, high, level, count, f"{method}, non-central t")


def _hedges(degrees: int) -> float:
    """The factor that makes the standardised mean unbiased under normality (Hedges 1981, equation 6e)."""
    log_ratio = math.lgamma(degrees / 2) - math.lgamma((degrees - 1) / 2)
    return math.exp(log_ratio) / math.sqrt(degrees / 2)


def _noncentrality(t: float, degrees: int, below: float) -> float:
    """The non-centrality at which a non-central t variable lies below `t` with probability `below`.

    Integrated over the quantiles of the spread, since scipy's `nct.cdf` is nan for large statistics.
    """
    import numpy as np
    from scipy import special, stats
    from scipy.optimize import brentq

    middles = (np.arange(QUANTILES) + 0.5) / QUANTILES
    threshold = t * np.sqrt(stats.chi2.ppf(middles, degrees) / degrees)
    far = 10.0

    def excess(centre: float) -> float:
        return float(special.ndtr(threshold - centre).mean()) - below

    return float(brentq(excess, float(threshold.min()) - far, float(threshold.max()) + far))
