import numpy as np
import pytest
from scipy import stats

from stacklab.stats.result import Estimate, Undefined
from stacklab.stats.unpaired import welch


def test_as_scipy_computes_it() -> None:
    random = np.random.default_rng(0)
    arm, against = random.normal(0, 1, 5).tolist(), random.normal(1, 3, 8).tolist()
    found = welch(arm, against, level=0.1)
    expected = stats.ttest_ind(arm, against, equal_var=False).confidence_interval(0.9)
    assert isinstance(found, Estimate)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert found.value == pytest.approx(float(np.mean(arm) - np.mean(against)))


def test_what_cannot_be_had_says_why() -> None:
    for arm, reason in (([1.0], "needs 2 values"), ([1.0, float("nan")], "is nan"), ([1.0, 1.0], "neither arm varies")):
        found = welch(arm, [2.0, 2.0], level=0.05)
        assert isinstance(found, Undefined) and reason in found.reason
