import numpy as np
import pytest
from scipy import stats

from stacklab.stats.power import (
    difference_power,
    equivalence_power,
    paired_design,
    unpaired_design,
)


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
    assert difference_power(0.0, paired_design(9), level=0.05) == pytest.approx(0.05)
    assert difference_power(50.0, paired_design(20), level=0.05) == 1.0


def test_the_curve_rises_and_crosses_where_the_pairs_suffice() -> None:
    curve = [difference_power(1.0, paired_design(pairs), level=0.05) for pairs in range(2, 15)]
    assert curve == sorted(curve)
    assert 2 + sum(power < 0.8 for power in curve) == 10


def test_a_test_that_cannot_be_made_has_no_power() -> None:
    for effect, pairs in ((1.0, 1), (float("nan"), 5), (float("inf"), 5)):
        with pytest.raises(ValueError, match="finite effect"):
            difference_power(effect, paired_design(pairs), level=0.05)
