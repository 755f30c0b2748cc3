import math
import warnings

import numpy as np
import pytest
from scipy import special, stats

from stacklab.stats.power import (
    Design,
    difference_power,
    equivalence_power,
    paired_design,
    unpaired_design,
)

LEVELS = (0.5, 0.05, 0.05 / 15, 1e-6)
EFFECTS = (0.0, 1e-3, 0.05, 0.3, 1.0, 3.0, 8.0, 20.0, 1e3)
SEEDS = (2, 3, 4, 8, 20, 200, 10_000, 1_000_000)


def reference_power(effect: float, design: Design, level: float) -> float:
    """Gauss-Legendre over the density of the spread, cut where the integrand bends."""
    degrees, centre = design.degrees, abs(effect) * design.size**0.5
    critical = -float(special.stdtrit(degrees, level / 2))
    width = 1 / math.sqrt(2 * degrees)
    low, high = (0.0, 8.0 + 40 * width) if degrees < 50 else (max(0.0, 1 - 12 * width), 1 + 12 * width)
    bends = [(sign * centre + step) / critical for sign in (-1, 1) for step in np.linspace(-9, 9, 37)]
    cuts = [*bends, *np.linspace(low, high, 41), *np.geomspace(1e-9, 1, 60)]
    edges = np.unique([low, high, *(cut for cut in cuts if low < cut < high)])
    node_P, weight_P = np.polynomial.legendre.leggauss(60)
    half_E = np.diff(edges)[:, None] / 2
    spread_EP = (edges[:-1, None] + half_E) + half_E * node_P
    log_EP = (degrees - 1) * np.log(spread_EP) - degrees * spread_EP**2 / 2
    log_EP += math.log(2) + degrees / 2 * math.log(degrees / 2) - math.lgamma(degrees / 2)
    reached_EP = special.ndtr(centre - critical * spread_EP) + special.ndtr(-centre - critical * spread_EP)
    return float((half_E * weight_P * np.exp(log_EP) * reached_EP).sum())


@pytest.mark.parametrize("design", [paired_design, unpaired_design])
@pytest.mark.parametrize("seeds", SEEDS)
def test_power_is_that_of_a_slow_integral_for_every_effect(design, seeds: int) -> None:  # type: ignore[no-untyped-def]
    """The reference loses digits with the degrees of freedom, in the logarithm of the gamma function."""
    error = 5e-6 if seeds < 1_000_000 else 1e-5
    for level in LEVELS:
        for effect in EFFECTS:
            reached = difference_power(effect, design(seeds), level=level)
            assert reached == pytest.approx(reference_power(effect, design(seeds), level), abs=error), (level, effect)


@pytest.mark.parametrize(
    ("level", "seeds", "effect", "power"),
    [
        (0.01, 2, 8.0, 0.141),
        (0.01, 2, 20.0, 0.343),
        (0.01, 3, 5.0, 0.531),
        (0.05, 2, 8.0, 0.625),
        (0.05 / 15, 3, 8.0, 0.474),
        (0.001, 5, 5.0, 0.839),
    ],
)
def test_few_seeds_and_small_levels_have_the_power_of_independent_software(
    level: float, seeds: int, effect: float, power: float
) -> None:
    """Where a library's nan had been read as a power of 1; the values are those of R."""
    assert difference_power(effect, paired_design(seeds), level=level) == pytest.approx(power, abs=6e-4)


def test_a_power_is_a_number_between_0_and_1_at_any_extreme() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for level in (0.999, 0.1, 1e-12, 1e-300):
            for effect in (0.0, 1e-300, 1e10, 1e300):
                for design in (paired_design(2), unpaired_design(3), paired_design(10**9)):
                    assert 0 <= difference_power(effect, design, level=level) <= 1
                    assert 0 <= equivalence_power(effect, 1.0, design, level=min(level, 0.5)) <= 1
    assert difference_power(1e300, paired_design(2), level=1e-6) == pytest.approx(1.0, abs=1e-9)


def test_power_is_the_share_of_planted_effects_that_are_found() -> None:
    gaps = np.random.default_rng(1).normal(-0.8, 1.0, size=(20_000, 7))
    found = np.mean(stats.ttest_1samp(gaps, 0.0, axis=1).pvalue < 0.1)
    assert difference_power(-0.8, paired_design(7), level=0.1) == pytest.approx(found, abs=0.015)


def test_unpaired_power_is_the_share_of_planted_effects_that_welchs_test_finds() -> None:
    rng = np.random.default_rng(2)
    arm, against = rng.normal(-1.0, 1.0, size=(20_000, 7)), rng.normal(0.0, 1.0, size=(20_000, 7))
    found = np.mean(stats.ttest_ind(arm, against, axis=1, equal_var=False).pvalue < 0.1)
    assert difference_power(-1.0, unpaired_design(7), level=0.1) == pytest.approx(found, abs=0.015)


@pytest.mark.parametrize(("effect", "seeds"), [(0.0, 4), (0.4, 8), (-0.4, 8), (1.2, 8)])
def test_the_power_of_an_equivalence_is_the_share_that_two_one_sided_tests_find(effect: float, seeds: int) -> None:
    rng = np.random.default_rng(3)
    gaps = rng.normal(effect, 1.0, size=(20_000, seeds))
    within = stats.ttest_1samp(gaps, 0.0, axis=1).confidence_interval(0.9)
    found = np.mean((within.low > -1.2) & (within.high < 1.2))
    assert equivalence_power(effect, 1.2, paired_design(seeds), level=0.05) == pytest.approx(found, abs=0.012)


def test_no_effect_is_found_as_often_as_the_level() -> None:
    for level in LEVELS:
        assert difference_power(0.0, paired_design(9), level=level) == pytest.approx(level, abs=5e-6)


def test_the_curve_rises_and_crosses_where_the_pairs_suffice() -> None:
    curve = [difference_power(1.0, paired_design(pairs), level=0.05) for pairs in range(2, 15)]
    assert curve == sorted(curve)
    assert 2 + sum(power < 0.8 for power in curve) == 10


def test_a_test_that_cannot_be_made_has_no_power() -> None:
    for effect, pairs in ((1.0, 1), (float("nan"), 5), (float("inf"), 5)):
        with pytest.raises(ValueError, match="finite effect"):
            difference_power(effect, paired_design(pairs), level=0.05)
    for level in (0.0, 1.0, float("nan")):
        with pytest.raises(ValueError, match="expected a number between 0 and 1"):
            difference_power(1.0, paired_design(5), level=level)
