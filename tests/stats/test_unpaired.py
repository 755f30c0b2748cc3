import numpy as np
import pytest
from scipy import stats

from stacklab.stats.result import Estimate, PValue, Undefined
from stacklab.stats.unpaired import unpaired_bootstrap, welch, welch_test, welch_tost


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
