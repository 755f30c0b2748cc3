"""The relative gap between two exponential fits at one x.

Runs of one seed share their batches, and so the effect of these on the loss. Where both curves have the same seeds, the
level of each seed is removed from both, as pairing does.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from stacklab.stats.fits.decay import Decay, fit_decay
from stacklab.stats.result import Estimate, Result, Undefined

INDEPENDENT = "t, errors propagated"
SHARED = "t, errors propagated, seeds taken out"


class SeedPoint(NamedTuple):
    """The value of one run at x."""

    x: float
    seed: int
    y: float


class _Term(NamedTuple):
    """One source of error of a gap: its variance, and the degrees of freedom of that estimate."""

    variance: float
    degrees: float


def relative_gap(fit: Decay | Undefined, reference: Decay | Undefined, *, x: float) -> Result:
    """(fit - reference) / reference at x, with Student's interval by propagated standard errors.

    The two curves are taken as independent; degrees of freedom after Welch and Satterthwaite. Both curves must have
    been evaluated at x. Undefined, with the reason, where either curve is, or the reference is 0 at x.
    """
    if isinstance(fit, Undefined) or isinstance(reference, Undefined):
        return _unfitted(fit, reference)
    own, other = fit.at(x), reference.at(x)
    if not other.value:
        return Undefined(reason=f"the reference is 0 at {x:g}")
    terms = (
        _Term((own.error / other.value) ** 2, fit.degrees),
        _Term((own.value * other.error / other.value**2) ** 2, reference.degrees),
    )
    gap = (own.value - other.value) / other.value
    return _estimate(gap, terms, n=fit.n + reference.n, level=fit.level, method=INDEPENDENT)


def share_seeds(points: Sequence[SeedPoint], reference: Sequence[SeedPoint]) -> bool:
    """Whether there are two seeds or more and each has equally many points at every x of both curves."""
    per_seed = [_places(points), _places(reference)]
    same = all(len(set(places.values())) == 1 for places in per_seed)
    return same and per_seed[0].keys() == per_seed[1].keys() and len(per_seed[0]) > 1


def shared_gap(points: Sequence[SeedPoint], reference: Sequence[SeedPoint], *, x: float, level: float = 0.05) -> Result:
    """(curve - reference) / reference at x of points that `share_seeds`, with the levels of the seeds removed.

    Both curves are refitted to the points minus the levels of their seeds (fixed effects in a balanced design, which
    leaves the curves where they were). This spends S - 1 degrees of freedom, divided in proportion to the points of
    each curve. The effect of a seed is taken as the same on all of its runs. The seeds still make the level of the
    reference uncertain, which enters in proportion to the gap. Raises ValueError for points that do not share their
    seeds; undefined as `relative_gap` is.
    """
    if not share_seeds(points, reference):
        raise ValueError("the two curves do not have the same seeds at every x")
    levels = _levels((*points, *reference))
    middle = math.fsum(levels.values()) / len(levels)
    fits = [
        fit_decay([one.x for one in curve], [one.y - levels[one.seed] + middle for one in curve], at=[x], level=level)
        for curve in (points, reference)
    ]
    fit, other_fit = fits
    if isinstance(fit, Undefined) or isinstance(other_fit, Undefined):
        return _unfitted(fit, other_fit)
    own, other = fit.at(x), other_fit.at(x)
    if not other.value:
        return Undefined(reason=f"the reference is 0 at {x:g}")
    gap, n, spent = (own.value - other.value) / other.value, fit.n + other_fit.n, len(levels) - 1
    scatter = math.fsum((one - middle) ** 2 for one in levels.values()) / spent
    terms = (
        _left(own.error / other.value, fit, spent * fit.n / n),
        _left(own.value * other.error / other.value**2, other_fit, spent * other_fit.n / n),
        _Term((gap / other.value) ** 2 * scatter / len(levels), spent),
    )
    return _estimate(gap, terms, n=n, level=fit.level, method=SHARED)


def _unfitted(fit: Decay | Undefined, reference: Decay | Undefined) -> Undefined:
    if isinstance(fit, Undefined):
        return Undefined(reason=f"the curve cannot be fitted: {fit.reason}")
    assert isinstance(reference, Undefined)
    return Undefined(reason=f"the reference cannot be fitted: {reference.reason}")


def _left(error: float, fit: Decay, spent: float) -> _Term:
    """The term of a fit to values that had already spent degrees of freedom unknown to the fit."""
    degrees = fit.degrees - spent
    return _Term(error**2 * fit.degrees / degrees, degrees)


def _estimate(gap: float, terms: Sequence[_Term], *, n: int, level: float, method: str) -> Estimate:
    from scipy import stats

    variance, half = math.fsum(term.variance for term in terms), 0.0
    if variance:
        spent = math.fsum(term.variance**2 / term.degrees for term in terms)
        half = float(stats.t.ppf((1 + level) / 2, variance**2 / spent)) * math.sqrt(variance)
    return Estimate(value=gap, low=gap - half, high=gap + half, level=level, n=n, method=method)


def _places(points: Sequence[SeedPoint]) -> Mapping[int, tuple[float, ...]]:
    """The x of every seed, in rising order."""
    by_seed: defaultdict[int, list[float]] = defaultdict(list)
    for point in points:
        by_seed[point.seed].append(point.x)
    return {seed: tuple(sorted(places)) for seed, places in by_seed.items()}


def _levels(points: Sequence[SeedPoint]) -> Mapping[int, float]:
    """The mean over the points of each seed."""
    by_seed: defaultdict[int, list[float]] = defaultdict(list)
    for point in points:
        by_seed[point.seed].append(point.y)
    return {seed: math.fsum(values) / len(values) for seed, values in by_seed.items()}
