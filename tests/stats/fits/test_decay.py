"""Exponential fits on planted curves: what they cover and what they refuse."""

import math

import numpy as np
import pytest

from stacklab.stats.fits import decay
from stacklab.stats.fits.decay import Decay, fit_decay
from stacklab.stats.fits.decay_scales import scales
from stacklab.stats.result import Undefined

FIVE, THREE = (12.0, 24.0, 48.0, 96.0, 192.0), (45.0, 90.0, 180.0)
LIMIT, HEIGHT, SCALE = 2.0, 1.0, 50.0
SIMULATED = 200


def truth(x: float) -> float:
    return LIMIT + HEIGHT * math.exp(-x / SCALE)


def planted(seed: int, xs: tuple[float, ...] = FIVE, *, sd: float = 0.02) -> Decay:
    """A fit to three seeds at each x, asked at 48 and 180."""
    found = fit_decay(*points(seed, xs, sd=sd), at=(48.0, 180.0))
    assert isinstance(found, Decay)
    return found


def points(seed: int, xs: tuple[float, ...], *, sd: float) -> tuple[list[float], list[float]]:
    random, x = np.random.default_rng([seed, 0]), [x for x in xs for _ in range(3)]
    return x, [truth(at) + random.normal(0, sd) for at in x]


def near_95(hits: int) -> bool:
    """Within three standard errors."""
    return abs(hits / SIMULATED - 0.95) <= 3 * math.sqrt(0.95 * 0.05 / SIMULATED)


def test_a_planted_curve_is_found() -> None:
    fit = planted(0)
    assert (fit.n, fit.distinct, fit.degrees, fit.note) == (15, 5, 12, "")
    for found, true in ((fit.limit, LIMIT), (fit.height, HEIGHT), (fit.scale, SCALE)):
        assert found.low is not None and found.high is not None
        assert found.low < found.value < found.high
        assert abs(found.value - true) < found.high - found.low < 0.4 * true
    assert fit.spread == pytest.approx(0.02, rel=0.5)


def test_bands_cover_the_truth_as_often_as_they_say() -> None:
    bands = {48.0: 0, 180.0: 0}
    scales = 0
    for seed in range(SIMULATED):
        fit = planted(seed)
        for x in bands:
            bands[x] += fit.at(x).low <= truth(x) <= fit.at(x).high
        assert fit.scale.low is not None and fit.scale.high is not None
        scales += fit.scale.low <= SCALE <= fit.scale.high
    assert all(map(near_95, (scales, *bands.values()))), (scales, bands)


def test_the_band_through_three_different_x_covers_as_well() -> None:
    fits = [planted(seed, THREE).at(180.0) for seed in range(SIMULATED)]
    assert near_95(sum(at.low <= truth(180.0) <= at.high for at in fits))


def test_three_different_x_leave_the_form_untested_and_the_means_on_the_curve() -> None:
    x, y = points(1, THREE, sd=0.02)
    fit = fit_decay(x, y, at=THREE)
    assert isinstance(fit, Decay)
    assert fit.note == "3 different x: the curve goes through their means, so its form is not tested"
    means = [sum(y[first : first + 3]) / 3 for first in (0, 3, 6)]
    assert [point.value for point in fit.curve] == pytest.approx(means, rel=1e-6)


@pytest.mark.parametrize(
    ("seed", "opened"),
    [
        pytest.param(0, {("height", "high"), ("scale", "low")}, id="a step is not ruled out"),
        pytest.param(14, {("limit", "low"), ("height", "high"), ("scale", "high"), ("scale", "low")}, id="nor a line"),
        pytest.param(12, {("limit", "low"), ("height", "high"), ("scale", "high")}, id="a line alone"),
    ],
)
def test_an_end_that_the_points_do_not_bound_is_open(seed: int, opened: set[tuple[str, str]]) -> None:
    fit = planted(seed, THREE, sd=0.1)
    found = {
        (name, end)
        for name in ("limit", "height", "scale")
        for end in ("low", "high")
        if getattr(getattr(fit, name), end) is None
    }
    assert found == opened
    assert all(math.isfinite(point.low) and math.isfinite(point.high) for point in fit.curve)


@pytest.mark.parametrize(
    ("x", "y", "told"),
    [
        ((1,), (1,), "3 parameters through 1 point have no degrees of freedom"),
        ((1, 2, 3), (3, 2, 1.5), "3 parameters through 3 points have no degrees of freedom"),
        ((1, 1, 2, 2), (3, 2.9, 2, 2.1), "3 parameters need 3 different x, there are 2"),
        ((1, 2, 3, 4), (2, 2, 2, 2), "all values are equal: there is no curve to fit"),
        ((1, 2, 3, 4), (4, 3, math.nan, 1), "value 3 of 4 is nan"),
        ((1, 2, 3, 4), (4, 3, 2.1, 1), "the scale is not bounded: no curve fits better than a straight line"),
        ((1, 2, 3, 4), (4, 1, 1.1, 1), "the scale is not bounded: no slower change fits better than a step from 1 on"),
        (FIVE, [truth(x) for x in FIVE], "the points lie on a curve: no spread to judge by"),
    ],
)
def test_what_cannot_be_fitted_says_why(x: tuple[float, ...], y: tuple[float, ...], told: str) -> None:
    assert fit_decay(x, y, at=x) == Undefined(reason=told)


def test_a_fit_that_does_not_end_is_no_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decay, "MOST_EVALUATIONS", 2)
    found = fit_decay(*points(0, FIVE, sd=0.02), at=FIVE)
    assert found == Undefined(reason="the fit did not converge in 2 evaluations")


@pytest.mark.parametrize("seed", range(12))
def test_noise_alone_never_breaks_it(seed: int) -> None:
    found = fit_decay(*points(seed, THREE, sd=3.0), at=(48.0, 180.0))
    assert isinstance(found, Undefined) or all(math.isfinite(point.high) for point in found.curve)


def test_limit_and_height_of_a_scale_vary_as_those_of_a_linear_fit_do() -> None:
    x, y = points(2, FIVE, sd=0.02)
    found = scales(x, y)
    for at in (100, found.best, 1900):
        design_N2 = np.stack([np.ones(len(x)), np.exp(-(np.asarray(x) - min(x)) / found.scale_S[at])], axis=1)
        variance_22 = np.linalg.inv(design_N2.T @ design_N2)
        assert found.limit_variance_S[at] == pytest.approx(variance_22[0, 0])
        assert found.height_variance_S[at] == pytest.approx(variance_22[1, 1])
