import numpy as np
import pytest
from scipy import stats

from stacklab.stats.equivalence import tost, tost_interval
from stacklab.stats.result import Estimate, PValue, Undefined


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
