import numpy as np
import pytest
from scipy import stats

from stacklab.stats.power import paired_power, pairs_for_effect, power_curve


def test_power_is_the_share_of_planted_effects_that_are_found() -> None:
    gaps = np.random.default_rng(1).normal(-0.8, 1.0, size=(20_000, 7))
    found = np.mean(stats.ttest_1samp(gaps, 0.0, axis=1).pvalue < 0.1)
    assert paired_power(-0.8, 7, level=0.1) == pytest.approx(found, abs=0.015)


def test_no_effect_is_found_as_often_as_the_level() -> None:
    assert paired_power(0.0, 9, level=0.05) == pytest.approx(0.05)
    assert paired_power(50.0, 20, level=0.05) == 1.0


def test_the_curve_rises_and_crosses_where_the_pairs_suffice() -> None:
    curve = power_curve(1.0, range(2, 15), level=0.05)
    assert [count for count, _ in curve] == list(range(2, 15))
    assert [power for _, power in curve] == sorted(power for _, power in curve)
    assert pairs_for_effect(1.0, level=0.05) == next(count for count, power in curve if power >= 0.8) == 10
    assert pairs_for_effect(-1.0, level=0.05) == 10
    assert pairs_for_effect(1e-4, level=0.05) is None
    assert pairs_for_effect(0.0, level=0.05) is None


def test_a_test_that_cannot_be_made_has_no_power() -> None:
    for effect, pairs in ((1.0, 1), (float("nan"), 5), (float("inf"), 5)):
        with pytest.raises(ValueError, match="finite effect"):
            paired_power(effect, pairs, level=0.05)
