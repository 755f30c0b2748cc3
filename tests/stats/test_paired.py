import numpy as np
import pytest
from scipy import stats

from stacklab.stats.describe import mean_t
from stacklab.stats.paired import paired_bootstrap, paired_t, smallest_sign_flip_p
from stacklab.stats.result import Estimate, Undefined


def estimate(result: object) -> Estimate:
    assert isinstance(result, Estimate)
    return result


def test_the_t_interval_is_students_formula() -> None:
    gaps = [0.1, 0.4, 0.2, 0.9]
    found = estimate(paired_t(gaps, level=0.05))
    half = stats.t.ppf(0.975, 3) * np.std(gaps, ddof=1) / 2
    assert (found.value, found.low, found.high) == pytest.approx((0.4, 0.4 - half, 0.4 + half))
    assert (found.level, found.n) == (0.95, 4)


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_the_t_interval_covers_a_planted_effect_as_often_as_it_says(seeds: int) -> None:
    rng = np.random.default_rng(7)
    gaps = rng.normal(0.3, 1.0, size=(1_500, seeds))
    found = [estimate(paired_t(row, level=0.1)) for row in gaps.tolist()]
    covered = np.mean([one.low <= 0.3 <= one.high for one in found])
    assert covered == pytest.approx(0.9, abs=4 * (0.9 * 0.1 / 1_500) ** 0.5)


def test_the_bootstrap_covers_a_planted_effect_with_enough_seeds_and_repeats() -> None:
    rng = np.random.default_rng(8)
    gaps = rng.normal(0.3, 1.0, size=(60, 25)).tolist()
    found = [estimate(paired_bootstrap(row, level=0.1)) for row in gaps]
    assert 46 <= sum(one.low <= 0.3 <= one.high for one in found) <= 60
    assert paired_bootstrap(gaps[0], level=0.1) == found[0]
    assert found[0].low < found[0].value < found[0].high


@pytest.mark.parametrize("gaps", [[], [1.0], [0.0, 0.0, 0.0], [0.5, 0.5]])
def test_what_cannot_be_had_is_undefined_with_its_reason(gaps: list[float]) -> None:
    for result in (paired_t(gaps, level=0.05), paired_bootstrap(gaps, level=0.05)):
        assert isinstance(result, Undefined)
        assert result.reason


def test_the_smallest_sign_flip_p_is_that_of_the_exact_test() -> None:
    exact = stats.permutation_test(
        (np.arange(1.0, 6.0),), np.mean, permutation_type="samples", alternative="two-sided"
    ).pvalue
    assert smallest_sign_flip_p(5) == exact == 0.0625


def test_a_mean_over_seeds() -> None:
    assert isinstance(mean_t([1.0]), Undefined)
    found = estimate(mean_t([1.0, 2.0, 3.0]))
    assert (found.value, found.low) == pytest.approx((2.0, 2.0 - stats.t.ppf(0.975, 2) / 3**0.5))
    same = estimate(mean_t([2.0, 2.0]))
    assert (same.low, same.high) == (2.0, 2.0)
