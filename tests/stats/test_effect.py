import numpy as np
import pytest
from scipy import stats

from stacklab.stats.effect import (
    effect_size,
    pair_correlation,
    paired_superiority,
    unpaired_effect_size,
    unpaired_superiority,
)
from stacklab.stats.result import Estimate, Result, Undefined


def estimate(result: Result) -> Estimate:
    assert isinstance(result, Estimate)
    return result


def covered(found: list[Result], truth: float) -> float:
    return float(np.mean([one.low <= truth <= one.high for one in map(estimate, found)]))


def test_superiority_is_the_share_of_pairs_with_ties_half() -> None:
    found = estimate(paired_superiority([1.0, 2.0, 3.0, 9.0], [2.0, 3.0, 3.0, 1.0], level=0.05))
    assert (found.value, found.n, found.level) == (2.5 / 4, 4, 0.95)
    exact = stats.binomtest(3, 4).proportion_ci(0.9)
    whole = estimate(paired_superiority([1.0, 1.0, 1.0, 3.0], [2.0, 2.0, 2.0, 2.0], level=0.1))
    assert (whole.low, whole.high) == pytest.approx((exact.low, exact.high))
    none = estimate(paired_superiority([5.0] * 5, [1.0] * 5, level=0.05))
    assert (none.value, none.low) == (0.0, 0.0)
    assert none.high == pytest.approx(1 - 0.025 ** (1 / 5))


def test_unpaired_superiority_compares_every_value_with_every_other() -> None:
    rng = np.random.default_rng(1)
    arm, against = rng.integers(0, 6, size=5) / 2, rng.integers(1, 7, size=7) / 2
    pairs = [(left < right) + 0.5 * (left == right) for left in arm for right in against]
    found = estimate(unpaired_superiority(arm.tolist(), against.tolist(), level=0.05))
    assert found.value == pytest.approx(np.mean(pairs))
    assert 0 < found.low < found.value < found.high < 1
    mirrored = estimate(unpaired_superiority(against.tolist(), arm.tolist(), level=0.05))
    assert (mirrored.value, mirrored.low, mirrored.high) == pytest.approx(
        (1 - found.value, 1 - found.high, 1 - found.low)
    )


def test_separated_arms_still_have_an_interval() -> None:
    """At a share of 1 the equation of Newcombe's method 5 is solved by hand: z^2 theta S(theta) = (1 - theta) m n."""
    found = estimate(unpaired_superiority([1.0, 2.0, 3.0], [4.0, 5.0, 6.0], level=0.05))
    theta = found.low
    spread = 1 + 2 * ((1 - theta) / (2 - theta) + theta / (1 + theta))
    assert (found.value, found.high) == (1.0, 1.0)
    assert stats.norm.ppf(0.975) ** 2 * theta * spread == pytest.approx((1 - theta) * 9)


def test_superiority_covers_what_was_planted() -> None:
    rng = np.random.default_rng(2)
    truth = stats.norm.cdf(1.0 / 2**0.5)
    arms, others = rng.normal(0.0, 1.0, size=(400, 6)), rng.normal(1.0, 1.0, size=(400, 8))
    unpaired = [unpaired_superiority(*both, level=0.1) for both in zip(arms.tolist(), others.tolist(), strict=True)]
    assert covered(unpaired, truth) == pytest.approx(0.9, abs=0.06)
    pairs = [paired_superiority(*both, level=0.1) for both in zip(arms.tolist(), others[:, :6].tolist(), strict=True)]
    assert covered(pairs, truth) >= 0.9


@pytest.mark.parametrize("seeds", [3, 8])
def test_the_effect_size_is_unbiased_and_covers_what_was_planted(seeds: int) -> None:
    gaps = np.random.default_rng(seeds).normal(1.6, 2.0, size=(250, seeds))
    found = [effect_size(row, level=0.1) for row in gaps.tolist()]
    values = [one.value for one in map(estimate, found)]
    raw = gaps.mean(1) / gaps.std(1, ddof=1)
    factor = values[0] / raw[0]
    assert values == pytest.approx(raw * factor)
    assert factor == pytest.approx({3: 0.5642, 8: 0.8882}[seeds], abs=1e-4)  # Hedges 1981, table of c(m)
    assert np.mean(values) == pytest.approx(0.8, abs=float(4 * np.std(values) / 250**0.5))
    assert covered(found, 0.8) == pytest.approx(0.9, abs=0.07)


def test_the_effect_size_interval_inverts_the_noncentral_t() -> None:
    gaps = [0.4, -0.1, 0.6, 0.5, 0.9]
    found = estimate(effect_size(gaps, level=0.05))
    t = stats.ttest_1samp(gaps, 0.0).statistic
    assert stats.nct.cdf(t, 4, found.low * 5**0.5) == pytest.approx(0.975, abs=1e-5)
    assert stats.nct.cdf(t, 4, found.high * 5**0.5) == pytest.approx(0.025, abs=1e-5)
    huge = estimate(effect_size([1.0, 1.0 + 1e-9, 1.0 - 1e-9], level=0.05))
    assert 0 < huge.low < huge.value < huge.high


def test_the_unpaired_effect_is_hedges_g_and_covers_what_was_planted() -> None:
    rng = np.random.default_rng(5)
    arms, others = rng.normal(1.6, 2.0, size=(250, 3)), rng.normal(0.0, 2.0, size=(250, 5))
    found = [unpaired_effect_size(*both, level=0.1) for both in zip(arms.tolist(), others.tolist(), strict=True)]
    values = [one.value for one in map(estimate, found)]
    pooled = ((2 * arms.var(1, ddof=1) + 4 * others.var(1, ddof=1)) / 6) ** 0.5
    assert values == pytest.approx((arms.mean(1) - others.mean(1)) / pooled * 0.8686, rel=1e-3)  # c(6) of Hedges 1981
    assert np.mean(values) == pytest.approx(0.8, abs=float(4 * np.std(values) / 250**0.5))
    assert covered(found, 0.8) == pytest.approx(0.9, abs=0.07)
    t = stats.ttest_ind(arms[0], others[0]).statistic
    assert stats.nct.cdf(t, 6, estimate(found[0]).low * (15 / 8) ** 0.5) == pytest.approx(0.95, abs=1e-5)
    assert unpaired_effect_size([1.0, 1.0], [2.0, 2.0], level=0.1).kind == "undefined"


def test_the_correlation_is_pearsons_with_fishers_interval() -> None:
    rng = np.random.default_rng(4)
    arm = rng.normal(size=9)
    against = 0.7 * arm + rng.normal(size=9)
    found = estimate(pair_correlation(arm.tolist(), against.tolist(), level=0.05))
    r = np.corrcoef(arm, against)[0, 1]
    half = stats.norm.ppf(0.975) / 6**0.5
    ends = np.tanh([np.arctanh(r) - half, np.arctanh(r) + half])
    assert [found.value, found.low, found.high] == pytest.approx([r, *ends])


NAN = float("nan")


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (paired_superiority([], [], level=0.05), "needs 1 pairs, has 0"),
        (paired_superiority([1.0, NAN], [1.0, 2.0], level=0.05), "the arm: value 2 of 2 is nan"),
        (unpaired_superiority([1.0], [1.0, 2.0], level=0.05), "the arm needs 2 values, has 1"),
        (unpaired_superiority([1.0, 2.0], [NAN, 2.0], level=0.05), "the arm compared with: value 1 of 2 is nan"),
        (effect_size([1.0, 2.0], level=0.05), "needs 3 pairs, has 2"),
        (effect_size([0.1, 0.1, 0.1], level=0.05), "all 3 differences are 0.1: no spread to judge by"),
        (effect_size([0.1, NAN, 0.1], level=0.05), "difference 2 of 3 is nan"),
        (pair_correlation([1.0, 2.0, 3.0], [1.0, 2.0, 4.0], level=0.05), "needs 4 pairs, has 3"),
        (pair_correlation([1.0] * 4, [1.0, 2.0, 3.0, 5.0], level=0.05), "all 4 values of an arm are 1: nothing to c"),
        (pair_correlation([1.0, 2.0, 3.0, 4.0], [2.0, 4.0, 6.0, 8.0], level=0.05), "the pairs lie on a line"),
    ],
)
def test_what_the_data_do_not_allow_is_undefined(result: Result, reason: str) -> None:
    assert isinstance(result, Undefined)
    assert result.reason.startswith(reason)


def test_pairs_of_unequal_number_are_refused() -> None:
    for statistic in (paired_superiority, pair_correlation):
        with pytest.raises(ValueError, match="3 values against 4"):
            statistic([1.0, 2.0, 3.0], [1.0, 2.0, 3.0, 4.0], level=0.05)
