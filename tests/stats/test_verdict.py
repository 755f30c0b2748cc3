from typing import cast

import numpy as np
import pytest
from scipy import stats

from stacklab.stats.equivalence import tost
from stacklab.stats.paired import paired_t
from stacklab.stats.result import Estimate, PValue
from stacklab.stats.verdict import Direction, judge, verdicts

CASES = [
    ([-0.2, -0.3, -0.25], "lower", None, "supported", "95% interval of the difference [-0.3742, -0.1258] excludes 0"),
    ([-0.2, -0.3, -0.25], "higher", None, "refuted", "lies on the side not claimed"),
    ([0.2, 0.3, 0.25], "higher", None, "supported", "excludes 0"),
    ([0.2, 0.3, 0.25], "lower", None, "refuted", "lies on the side not claimed"),
    ([-0.2, 0.3, 0.25], "lower", None, "inconclusive", "includes 0"),
    ([-0.2, 0.3, 0.25], "higher", None, "inconclusive", "includes 0"),
    ([-0.1, 0.1, 0.05], "equivalent", 0.2, "equivalent", "90% interval of the difference [-0.1588, +0.1921] lies wit"),
    ([-0.1, 0.1, 0.05], "equivalent", 0.18, "inconclusive", "95% interval of the difference [-0.2419, +0.2752] cros"),
    ([0.2, 0.3, 0.25], "equivalent", 0.1, "refuted", "95% interval of the difference [+0.1258, +0.3742] lies out"),
    ([-0.2, -0.3, -0.25], "equivalent", 0.1, "refuted", "lies outside ±0.1"),
    ([0.2, 0.3, 0.25], "equivalent", 0.15, "inconclusive", "crosses ±0.15"),
    ([0.2], "lower", None, "inconclusive", "needs 2 pairs, has 1"),
    ([0.2, 0.2, 0.2], "lower", None, "inconclusive", "all 3 differences are 0.2: no spread to judge by"),
    ([0.2, float("nan")], "lower", None, "inconclusive", "difference 2 of 2 is nan"),
]


@pytest.mark.parametrize(("gaps", "direction", "margin", "verdict", "reason"), CASES)
def test_the_rule(gaps: list[float], direction: Direction, margin: float | None, verdict: str, reason: str) -> None:
    found, why = judge(gaps, direction=direction, margin=margin, level=0.05)
    assert found == verdict
    assert reason in why


def test_the_level_moves_the_interval() -> None:
    gaps = [0.1, 0.9, 0.7]
    assert judge(gaps, direction="higher", margin=None, level=0.2)[0] == "supported"
    verdict, why = judge(gaps, direction="higher", margin=None, level=0.0125)
    assert verdict == "inconclusive"
    assert why.startswith("98.75% interval")


@pytest.mark.parametrize("direction", ["lower", "higher", "equivalent"])
def test_a_table_of_differences_is_judged_row_by_row_as_the_tests_say(direction: str) -> None:
    """Against scipy's t test and the p value of two one-sided tests, which share no code with the rule."""
    way = cast(Direction, direction)
    margin = 1.0 if way == "equivalent" else None
    gaps = np.random.default_rng(5).normal(0.4, [[0.3], [1.0], [3.0]] * 60, size=(180, 5))
    table = verdicts(gaps, direction=way, margin=margin, level=0.1)
    for row, found in zip(gaps.tolist(), table, strict=True):
        assert judge(row, direction=way, margin=margin, level=0.1)[0] == found
        if way == "equivalent":
            p, t = tost(row, margin=1.0), paired_t(row, level=0.1)
            assert isinstance(p, PValue)
            assert isinstance(t, Estimate)
            outside = t.low > 1.0 or t.high < -1.0
            expected = "equivalent" if p.p < 0.1 else "refuted" if outside else "inconclusive"
        else:
            p_value, mean = stats.ttest_1samp(row, 0.0).pvalue, np.mean(row)
            claimed = (mean < 0) == (way == "lower")
            expected = "inconclusive" if p_value >= 0.1 else "supported" if claimed else "refuted"
        assert found == expected
    assert len(set(table)) > 1


def test_rows_without_spread_decide_nothing() -> None:
    gaps = np.array([[0.3, 0.3, 0.3], [0.3, 0.3, 0.3 + 5e-17], [0.0, 0.0, 0.0], [0.3, 0.31, 0.3]])
    found = verdicts(gaps, direction="higher", margin=None, level=0.05)
    assert found.tolist() == ["inconclusive", "inconclusive", "inconclusive", "supported"]
