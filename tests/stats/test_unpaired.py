import itertools

import numpy as np
import pytest
from scipy import stats

from stacklab.stats.result import Estimate, PValue, Undefined
from stacklab.stats.unpaired import (
    group_permutation,
    smallest_permutation_p,
    solving_test,
    unpaired_bootstrap,
    welch,
    welch_test,
    welch_tost,
)


def test_it_is_welchs_formula() -> None:
    arm, against = np.array([1.0, 2.0, 4.0]), np.array([0.5, 0.7, 0.9, 1.4])
    found = welch(arm.tolist(), against.tolist(), level=0.1)
    assert isinstance(found, Estimate)
    parts = arm.var(ddof=1) / 3, against.var(ddof=1) / 4
    degrees = sum(parts) ** 2 / (parts[0] ** 2 / 2 + parts[1] ** 2 / 3)
    half = stats.t.ppf(0.95, degrees) * sum(parts) ** 0.5
    gap = arm.mean() - against.mean()
    assert (found.value, found.low, found.high) == pytest.approx((gap, gap - half, gap + half))
    assert (found.method, found.n, found.level) == ("Welch, unpaired", 7, 0.9)


def test_it_covers_a_planted_difference_with_unequal_spreads() -> None:
    rng = np.random.default_rng(1)
    arms, others = rng.normal(1.0, 3.0, size=(400, 4)), rng.normal(0.0, 1.0, size=(400, 7))
    found = [welch(*both, level=0.1) for both in zip(arms.tolist(), others.tolist(), strict=True)]
    covered = np.mean([isinstance(one, Estimate) and one.low <= 1.0 <= one.high for one in found])
    assert covered == pytest.approx(0.9, abs=0.06)


def test_one_arm_may_be_constant_but_not_both() -> None:
    found = welch([1.0, 1.0], [2.0, 3.0, 5.0], level=0.05)
    assert isinstance(found, Estimate)
    assert found.low < -7 / 3 < found.high
    assert welch([1.0, 1.0], [2.0, 2.0], level=0.05) == Undefined(reason="neither arm varies: no spread to judge by")
    assert welch([1.0], [2.0, 3.0], level=0.05) == Undefined(reason="the arm needs 2 values, has 1")
    nan = welch([1.0, 2.0], [2.0, float("nan")], level=0.05)
    assert nan == Undefined(reason="the arm compared with: value 2 of 2 is nan")


def test_its_tests_are_welchs() -> None:
    arm, against = [1.0, 2.0, 4.0], [0.5, 0.7, 0.9, 1.4]
    test, tost = welch_test(arm, against), welch_tost(arm, against, margin=3.0)
    assert isinstance(test, PValue)
    assert isinstance(tost, PValue)
    assert test.p == pytest.approx(stats.ttest_ind(arm, against, equal_var=False).pvalue)
    moved = [value - 3.0 for value in arm]
    upper = stats.ttest_ind(moved, against, equal_var=False, alternative="less").pvalue
    assert tost.p == pytest.approx(upper), "the nearer edge decides"
    assert "unpaired" in test.method and "unpaired" in tost.method
    with pytest.raises(ValueError, match="margin -1"):
        welch_tost(arm, against, margin=-1.0)
    for found in (welch_test([1.0], against), welch_tost([1.0], against, margin=1.0)):
        assert found == Undefined(reason="the arm needs 2 values, has 1")


def test_its_bootstrap_resamples_both_arms_and_repeats() -> None:
    rng = np.random.default_rng(3)
    arm, against = rng.normal(1.0, 1.0, 12).tolist(), rng.normal(0.0, 3.0, 9).tolist()
    found = unpaired_bootstrap(arm, against, level=0.05)
    assert isinstance(found, Estimate)
    assert found == unpaired_bootstrap(arm, against, level=0.05)
    error = (np.var(arm, ddof=1) / 12 + np.var(against, ddof=1) / 9) ** 0.5
    assert (found.high - found.low) / (2 * 1.96 * error) == pytest.approx(1.0, abs=0.25)
    assert unpaired_bootstrap([1.0], against, level=0.05).kind == "undefined"


def p_value(arm: list[float], against: list[float]) -> PValue:
    found = group_permutation(arm, against)
    assert isinstance(found, PValue)
    return found


def slow(arm: list[float], against: list[float]) -> float:
    values, size = [*arm, *against], len(arm)

    def gap(places: tuple[int, ...]) -> float:
        inside = [values[place] for place in places]
        return abs(sum(inside) / size - (sum(values) - sum(inside)) / (len(values) - size))

    gaps = [gap(places) for places in itertools.combinations(range(len(values)), size)]
    return sum(one >= gap(tuple(range(size))) - 1e-12 for one in gaps) / len(gaps)


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_it_counts_every_split_and_ties_as_well(seeds: int) -> None:
    rng = np.random.default_rng(seeds)
    for _ in range(8):
        arm, against = rng.normal(5.0, 1.0, size=(2, seeds)).round(1).tolist()
        found = p_value(arm, against)
        assert found.p == pytest.approx(slow(arm, against))
        assert found.method == "permutation of unpaired runs, exact"


def test_the_smallest_p_is_that_of_arms_wholly_apart() -> None:
    arm, against = [1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]
    assert p_value(arm, against).p == pytest.approx(smallest_permutation_p(4))


def test_many_runs_are_sampled_and_it_says_so() -> None:
    rng = np.random.default_rng(2)
    arm, against = rng.normal(0.9, 1.0, 9).tolist(), rng.normal(0.0, 1.0, 9).tolist()
    exact = p_value(arm, against)
    sampled = p_value([*arm, 0.45], [*against, 0.45])
    assert sampled.method == "permutation of unpaired runs, Monte Carlo of 99999"
    assert sampled.p == pytest.approx(exact.p, abs=0.05)
    assert sampled == p_value([*arm, 0.45], [*against, 0.45])


@pytest.mark.parametrize(
    ("arm", "against", "reason"),
    [
        ([1.0], [1.0, 2.0], "the arm needs 2 values, has 1"),
        ([2.0, 2.0], [2.0, 2.0], "all 4 values are 2: reassigning them changes nothing"),
        ([1.0, float("nan")], [2.0, 2.0], "the arm: value 2 of 2 is nan"),
    ],
)
def test_what_the_data_do_not_allow_is_undefined(arm: list[float], against: list[float], reason: str) -> None:
    assert group_permutation(arm, against) == Undefined(reason=reason)


@pytest.mark.parametrize(
    ("arm", "against", "p"),
    [(5, 0, 0.007936508), (4, 1, 0.2063492), (3, 3, 1.0), (0, 5, 0.007936508)],
)
def test_the_p_value_of_seeds_that_solve_is_that_of_r(arm: int, against: int, p: float) -> None:
    """fisher.test of R 4.2.2."""
    values = [[0.95] * count + [0.949] * (5 - count) for count in (arm, against)]
    test = solving_test(*values, solved=0.95)
    assert test.p == pytest.approx(p, rel=1e-6)
    assert test.method == f"Fisher's exact test of seeds with at least 0.95: {arm} of 5 against {against} of 5"
