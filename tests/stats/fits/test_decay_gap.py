"""Gaps between exponential fits on planted data: what their intervals cover, and what shared seeds are worth."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from scipy import stats

from stacklab.stats.fits.decay import CurvePoint, Decay, fit_decay
from stacklab.stats.fits.decay_gap import INDEPENDENT, SHARED, SeedPoint, relative_gap, share_seeds, shared_gap
from stacklab.stats.fits.decay_scales import Parameter
from stacklab.stats.result import Estimate, Result, Undefined

AT, SIMULATED = 180.0, 300
FIVE, THREE = (12.0, 24.0, 48.0, 96.0, 192.0), (45.0, 90.0, 180.0)
Points = list[SeedPoint]


def planted(number: int, xs: Sequence[float], *, shared: float, own: float, gap: float) -> tuple[Points, Points]:
    """A curve and its reference, three seeds at each x of both. shared: what a seed adds to all of its runs, own: the
    noise of a run, both standard deviations; gap: the planted one."""
    random = np.random.default_rng([number, 7])
    seeds = random.normal(0, shared, 3)

    def points(factor: float) -> Points:
        heights = {x: factor * (2 + math.exp(-x / 50)) for x in xs}
        return [SeedPoint(x, s, heights[x] + seeds[s] + random.normal(0, own)) for x in xs for s in range(3)]

    return points(1 + gap), points(1.0)


def fit(points: Points) -> Decay | Undefined:
    return fit_decay([one.x for one in points], [one.y for one in points], at=[AT])


def apart(own: Points, other: Points) -> Result:
    return relative_gap(fit(own), fit(other), x=AT)


def together(own: Points, other: Points) -> Result:
    return shared_gap(own, other, x=AT)


def found(
    way: Callable[[Points, Points], Result],
    xs: Sequence[float],
    *,
    shared: float,
    own: float,
    gap: float,
    sets: int = SIMULATED,
) -> tuple[float, float]:
    """The share of data sets whose interval holds the planted gap, and of those whose interval leaves out zero."""
    gaps = [way(*planted(number, xs, shared=shared, own=own, gap=gap)) for number in range(sets)]
    known = [one for one in gaps if isinstance(one, Estimate)]
    assert len(known) > 0.98 * sets
    held = sum(one.low <= gap <= one.high for one in known)
    return held / len(known), sum(not one.low <= 0 <= one.high for one in known) / len(known)


@pytest.mark.parametrize("xs", [FIVE, THREE])
def test_with_shared_seeds_the_interval_covers_as_it_says_and_finds_what_was_hidden(xs: Sequence[float]) -> None:
    covered, power = found(together, xs, shared=0.03, own=0.005, gap=-0.005)
    assert 0.93 <= covered <= 0.97
    before, hidden = found(apart, xs, shared=0.03, own=0.005, gap=-0.005, sets=60)
    assert before > 0.98, "much too wide"
    assert power > 0.5 > 0.1 > hidden


def test_without_a_gap_none_is_found_more_often_than_the_level() -> None:
    covered, _ = found(together, FIVE, shared=0.03, own=0.005, gap=0.0)
    assert 0.93 <= covered <= 0.97


def test_where_seeds_do_nothing_little_is_lost() -> None:
    covered, power = found(together, THREE, shared=0.0, own=0.02, gap=-0.02)
    as_before, same = found(apart, THREE, shared=0.0, own=0.02, gap=-0.02, sets=200)
    assert 0.93 <= covered <= 0.97 and 0.9 <= as_before <= 0.98
    assert power == pytest.approx(same, abs=0.08)


def test_a_large_gap_is_as_uncertain_as_the_reference_that_it_is_a_share_of() -> None:
    covered, _ = found(together, FIVE, shared=0.06, own=0.002, gap=-0.3, sets=150)
    assert covered > 0.9, "the level that the seeds have by chance is a part of it"


def test_taking_seeds_out_moves_no_curve_and_costs_their_degrees_of_freedom() -> None:
    own, other = planted(0, FIVE, shared=0.0, own=0.02, gap=-0.1)
    more = [one._replace(x=one.x + 5) for one in own if one.x < 40]
    before, after = apart(own + more, other), together(own + more, other)
    assert isinstance(before, Estimate) and isinstance(after, Estimate)
    assert after.value == pytest.approx(before.value, rel=1e-5)
    assert (before.method, after.method, after.n) == (INDEPENDENT, SHARED, 36)
    levels = [np.mean([one.y for one in own + more + other if one.seed == seed]) for seed in range(3)]
    terms = []
    for points, spent in ((own + more, 2 * 21 / 36), (other, 2 * 15 / 36)):
        bare = fit([one._replace(y=one.y - levels[one.seed] + float(np.mean(levels))) for one in points])
        assert isinstance(bare, Decay)
        at, degrees = bare.at(AT), bare.degrees - spent
        terms.append((at.value, at.error**2 * bare.degrees / degrees, degrees))
    (value, variance, degrees), (reference, its, others) = terms
    scatter = float(np.var(levels, ddof=1)) / 3
    parts = (
        (variance / reference**2, degrees),
        (value**2 * its / reference**4, others),
        ((value - reference) ** 2 * scatter / reference**4, 2),
    )
    total = sum(part for part, _ in parts)
    t = stats.t.ppf(0.975, total**2 / sum(part**2 / free for part, free in parts))
    assert after.high - after.value == pytest.approx(t * math.sqrt(total), rel=1e-6)


def known(value: float, error: float, *, degrees: int, n: int) -> Decay:
    point = CurvePoint(x=AT, value=value, error=error, low=0, high=0)
    none = Parameter(value=0, low=None, high=None)
    return Decay(
        limit=none,
        height=none,
        scale=none,
        n=n,
        degrees=degrees,
        distinct=3,
        level=0.95,
        spread=0,
        curve=(point,),
        note="",
    )


def test_errors_are_propagated_and_degrees_of_freedom_are_welchs() -> None:
    gap = relative_gap(known(3.0, 0.1, degrees=4, n=7), known(5.0, 0.3, degrees=2, n=5), x=AT)
    assert isinstance(gap, Estimate)
    assert (gap.value, gap.n, gap.level) == (pytest.approx(-0.4), 12, 0.95)
    parts = (0.1 / 5) ** 2, (3 * 0.3 / 25) ** 2
    t = stats.t.ppf(0.975, sum(parts) ** 2 / (parts[0] ** 2 / 4 + parts[1] ** 2 / 2))
    assert gap.high - gap.value == pytest.approx(t * math.sqrt(sum(parts)))
    assert gap.value - gap.low == pytest.approx(t * math.sqrt(sum(parts)))


def test_seeds_are_shared_when_each_stands_as_often_at_every_x_of_both() -> None:
    own, other = planted(0, THREE, shared=0.0, own=0.02, gap=0.0)
    assert share_seeds(own, other)
    assert share_seeds(own + own, other), "two arms at each x"
    assert not share_seeds(own[1:], other), "a run is lost"
    assert not share_seeds(own, other[1:])
    assert not share_seeds(own, [one._replace(seed=one.seed + 1) for one in other])
    assert not share_seeds([one for one in own if not one.seed], [one for one in other if not one.seed]), "one seed"
    with pytest.raises(ValueError, match="do not have the same seeds at every x"):
        shared_gap(own[1:], other, x=AT)


def test_a_gap_needs_both_curves() -> None:
    none, sound = Undefined(reason="why"), known(3.0, 0.1, degrees=4, n=7)
    assert relative_gap(none, sound, x=AT) == Undefined(reason="the curve cannot be fitted: why")
    assert relative_gap(sound, none, x=AT) == Undefined(reason="the reference cannot be fitted: why")
    own, other = planted(0, THREE, shared=0.0, own=0.02, gap=0.0)
    flat = [one._replace(y=float(one.seed)) for one in own]
    told = "the curve cannot be fitted: all values are equal: there is no curve to fit"
    level = [one._replace(y=float(one.seed)) for one in other]
    assert shared_gap(flat, level, x=AT) == Undefined(reason=told)


def test_a_gap_to_nothing_has_no_ratio() -> None:
    zero = known(0.0, 0.1, degrees=4, n=7)
    assert relative_gap(zero, zero, x=AT) == Undefined(reason=f"the reference is 0 at {AT:g}")
