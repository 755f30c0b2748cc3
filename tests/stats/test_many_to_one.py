import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from stacklab.stats.result import Estimate, PValue, Undefined
from stacklab.stats.unpaired import dunnett

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
    assert (p_a.p, p_b.p) == pytest.approx((0.620, 0.0059), abs=1e-3)
    assert (p_b.n, p_b.method) == (11, "Dunnett, unpaired")
    assert b.low > 0 > a.low
    assert (b.high - b.value) == pytest.approx(b.value - b.low)


def test_one_arm_against_a_control_is_the_t_test() -> None:
    found = dunnett({"a": DRUG_A}, CONTROL, level=0.05)["a"]
    t = stats.ttest_ind(DRUG_A, CONTROL)
    interval = t.confidence_interval(0.95)
    assert isinstance(found.p, PValue)
    assert isinstance(found.difference, Estimate)
    assert found.p.p == pytest.approx(t.pvalue, abs=1e-3)
    assert (found.difference.low, found.difference.high) == pytest.approx((interval.low, interval.high), abs=0.01)
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
