import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from stacklab.stats.result import Estimate, PValue, Undefined
from stacklab.stats.unpaired import critical_value, dunnett, tail_probability

CONTROL = [7.40, 8.50, 7.20, 8.24, 9.84, 8.32]
DRUG_A = [9.76, 8.80, 7.68, 9.36]
DRUG_B = [12.80, 9.68, 12.16, 9.20, 10.55]


def test_dunnetts_own_example() -> None:
    """The blood counts of Dunnett 1955, with the p values that scipy's manual states for them, 0.620 and 0.0059."""
    found = dunnett({"a": DRUG_A, "b": DRUG_B}, CONTROL, level=0.05)
    a, b = found["a"].difference, found["b"].difference
    assert isinstance(a, Estimate)
    assert isinstance(b, Estimate)
    assert (a.value, b.value) == pytest.approx((np.mean(DRUG_A) - np.mean(CONTROL), np.mean(DRUG_B) - np.mean(CONTROL)))
    p_a, p_b = found["a"].p, found["b"].p
    assert isinstance(p_a, PValue)
    assert isinstance(p_b, PValue)
    assert (p_a.p, p_b.p) == pytest.approx((0.620, 0.0059), abs=2e-4)
    assert (p_b.n, p_b.method) == (11, "Dunnett, unpaired")
    assert b.low > 0 > a.low
    assert (b.high - b.value) == pytest.approx(b.value - b.low)


def test_one_arm_against_a_control_is_the_t_test() -> None:
    found = dunnett({"a": DRUG_A}, CONTROL, level=0.05)["a"]
    t = stats.ttest_ind(DRUG_A, CONTROL)
    interval = t.confidence_interval(0.95)
    assert isinstance(found.p, PValue)
    assert isinstance(found.difference, Estimate)
    assert found.p.p == pytest.approx(t.pvalue, abs=1e-9)
    assert (found.difference.low, found.difference.high) == pytest.approx((interval.low, interval.high), abs=1e-7)
    assert dunnett({"a": DRUG_A}, CONTROL, level=0.05)["a"] == found


def test_p_is_how_often_the_largest_of_all_t_statistics_is_as_large_without_an_effect() -> None:
    rng = np.random.default_rng(1)
    control, *rows = rng.normal([[0.0], [0.2], [1.6], [0.1]], size=(4, 5))

    def largest_t(values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of [..., 4 arms, 5 seeds], the first arm being the control, with the variance pooled over all."""
        means, spread = values.mean(axis=-1), values.var(axis=-1, ddof=1).mean(axis=-1)
        gaps: NDArray[np.float64] = np.abs(means[..., 1:] - means[..., :1]).max(axis=-1) / np.sqrt(spread * 2 / 5)
        return gaps

    null = largest_t(rng.normal(size=(40_000, 4, 5)))
    expected = np.mean(null >= largest_t(np.array([control, *rows])))
    found = dunnett(dict(zip("abc", np.array(rows).tolist(), strict=True)), control.tolist(), level=0.05)
    smallest = min(one.p.p for one in found.values() if isinstance(one.p, PValue))
    assert 0.001 < expected < 0.5
    assert smallest == pytest.approx(expected, abs=float(4 * (expected / 40_000) ** 0.5) + 1e-3)


@pytest.mark.parametrize(("arms", "degrees", "critical"), [(3, 16, 2.59), (3, 20, 2.54), (6, 14, 2.91), (2, 6, 2.86)])
def test_critical_values_are_those_of_the_printed_tables(arms: int, degrees: int, critical: float) -> None:
    """Two-sided at 5 % (Dunnett 1964, table II), where all groups are of one size."""
    each = degrees // (arms + 1) + 1
    assert each * (arms + 1) - arms - 1 == degrees
    assert critical_value([each] * arms, each, level=0.05) == pytest.approx(critical, abs=0.006)


@pytest.mark.parametrize("level", [0.1, 0.05, 0.05 / 3, 0.05 / 15, 1e-4])
@pytest.mark.parametrize("sizes", [[2, 2], [3, 3, 3], [2, 3, 7], [5] * 7])
def test_the_interval_excludes_0_exactly_where_p_is_below_the_level(sizes: list[int], level: float) -> None:
    """No warning either, which the integration of a library gave at the levels of looks."""
    critical = critical_value(sizes, 3, level=level)
    assert tail_probability(critical, sizes, 3) == pytest.approx(level, rel=1e-6)
    assert tail_probability(1.001 * critical, sizes, 3) < level < tail_probability(0.999 * critical, sizes, 3)
    apart = stats.t.isf(level / 2, sum(sizes) + 2 - len(sizes))
    assert apart < critical < stats.t.isf(level / 2 / len(sizes), sum(sizes) + 2 - len(sizes))


def test_arms_that_cannot_be_judged_leave_the_others_be() -> None:
    found = dunnett({"one": [1.0], "a": DRUG_A, "nan": [1.0, float("nan")]}, CONTROL, level=0.05)
    assert list(found) == ["one", "a", "nan"]
    assert found["one"].p == found["one"].difference == Undefined(reason="needs 2 values, has 1")
    assert found["nan"].p == Undefined(reason="value 2 of 2 is nan")
    assert found["a"] == dunnett({"a": DRUG_A}, CONTROL, level=0.05)["a"]
    alone = dunnett({"a": DRUG_A}, [1.0], level=0.05)["a"]
    assert alone.p == Undefined(reason="the control needs 2 values, has 1")
    mixed = dunnett({"a": DRUG_A, "constant": [7.0, 7.0, 7.0]}, CONTROL, level=0.05)["constant"]
    assert isinstance(mixed.difference, Estimate)
    flat = dunnett({"a": [1.0, 1.0]}, [2.0, 2.0], level=0.05)["a"]
    assert flat.difference == Undefined(reason="no arm varies: no spread to judge by")
