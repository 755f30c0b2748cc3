import itertools

import numpy as np
import pytest
from scipy import stats

from stacklab.stats.describe import mean_t
from stacklab.stats.paired import paired_bootstrap, paired_t, sign_flip, smallest_sign_flip_p, tost, tost_interval
from stacklab.stats.result import Estimate, PValue, Undefined


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


def test_it_is_the_larger_of_two_one_sided_tests() -> None:
    gaps = [0.1, 0.3, -0.2, 0.4]
    found = tost(gaps, margin=0.5)
    assert isinstance(found, PValue)
    sides = [
        stats.ttest_1samp(gaps, -0.5, alternative="greater").pvalue,
        stats.ttest_1samp(gaps, 0.5, alternative="less").pvalue,
    ]
    assert found.p == pytest.approx(max(sides))
    assert found.n == 4


def test_p_below_the_level_and_the_interval_inside_the_margin_are_one_thing() -> None:
    rng = np.random.default_rng(1)
    seen = set()
    for gaps in rng.normal(0.2, 0.4, size=(200, 5)).tolist():
        p, interval = tost(gaps, margin=0.6), tost_interval(gaps, level=0.05)
        assert isinstance(p, PValue)
        assert isinstance(interval, Estimate)
        assert interval.level == pytest.approx(0.9)
        assert (p.p < 0.05) == (interval.low > -0.6 and interval.high < 0.6)
        seen.add(p.p < 0.05)
    assert seen == {True, False}


def test_a_difference_as_large_as_the_margin_passes_as_often_as_the_level() -> None:
    rng = np.random.default_rng(2)
    p_values = [tost(gaps, margin=2.0) for gaps in rng.normal(-2.0, 1.0, size=(1_000, 8)).tolist()]
    passed = np.mean([isinstance(one, PValue) and one.p < 0.05 for one in p_values])
    assert passed == pytest.approx(0.05, abs=4 * (0.05 * 0.95 / 1_000) ** 0.5)


def test_what_cannot_be_tested() -> None:
    assert tost([0.1], margin=1.0) == Undefined(reason="needs 2 pairs, has 1")
    assert tost([0.0, 0.0], margin=1.0) == Undefined(reason="all 2 differences are 0: no spread to judge by")
    assert tost([0.0, float("nan")], margin=1.0) == Undefined(reason="difference 2 of 2 is nan")
    for margin in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="above 0"):
            tost([0.1, 0.2], margin=margin)


def p_value(gaps: list[float]) -> PValue:
    found = sign_flip(gaps)
    assert isinstance(found, PValue)
    return found


def slow(gaps: list[float]) -> float:
    sums = [
        sum(s * gap for s, gap in zip(signs, gaps, strict=True))
        for signs in itertools.product((1, -1), repeat=len(gaps))
    ]
    return sum(abs(one) >= abs(sum(gaps)) - 1e-12 for one in sums) / len(sums)


@pytest.mark.parametrize("seeds", [1, 2, 3, 6, 9])
def test_it_counts_every_flip(seeds: int) -> None:
    rng = np.random.default_rng(seeds)
    for gaps in rng.normal(0.4, 1.0, size=(20, seeds)).round(1).tolist():
        if any(gaps):
            assert p_value(gaps).p == slow(gaps)


def test_ties_count_however_the_sums_are_rounded() -> None:
    assert p_value([0.1, 0.2, 0.3, -0.6]).p == 1.0
    assert p_value([0.3, 0.3, 0.3 - 1e-17, 0.3]).p == smallest_sign_flip_p(4)
    assert p_value([0.1, 0.2, 0.3]).p == p_value([0.3, 0.1, 0.2]).p == p_value([-0.1, -0.2, -0.3]).p == 0.25


def test_under_the_null_it_is_below_any_level_no_more_often_than_the_level() -> None:
    gaps = np.random.default_rng(1).standard_t(3, size=(3_000, 6))
    found = np.array([p_value(row).p for row in gaps.tolist()])
    for level in (1 / 32, 0.05, 0.1, 0.5):
        assert np.mean(found <= level) <= level + 4 * (level * (1 - level) / 3_000) ** 0.5
    assert np.mean(found <= 1 / 32) == pytest.approx(1 / 32, abs=0.013)


def test_many_pairs_are_sampled_and_it_says_so() -> None:
    gaps = np.random.default_rng(2).normal(0.5, 1.0, size=20).tolist()
    exact, sampled = p_value(gaps), p_value([*gaps, 0.0])
    assert (exact.method, sampled.method) == ("sign flip, exact", "sign flip, Monte Carlo of 99999")
    assert sampled.p == pytest.approx(exact.p, abs=4 * (exact.p / 99_999) ** 0.5)
    assert sampled == p_value([*gaps, 0.0])
    assert p_value([1.0] * 40).p == 1e-5


@pytest.mark.parametrize(
    ("gaps", "reason"),
    [
        ([], "needs 1 pairs, has 0"),
        ([0.0, 0.0], "all 2 differences are 0: flipping signs changes nothing"),
        ([1.0, float("nan")], "difference 2 of 2 is nan"),
        ([float("inf"), 1.0], "difference 1 of 2 is inf"),
    ],
)
def test_what_allows_no_test_is_undefined(gaps: list[float], reason: str) -> None:
    assert sign_flip(gaps) == Undefined(reason=reason)
