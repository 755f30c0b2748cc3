from typing import Any

import numpy as np
import pytest
from scipy import stats

from stacklab.stats.comparison import COMPARISONS
from stacklab.stats.result import PValue, Undefined
from stacklab.stats.verdict import Direction, judge, verdicts

PAIRED = COMPARISONS["paired"]

CASES = [
    ([-0.2, -0.3, -0.25], "lower", None, "supported", (0.95, -0.3742, -0.1258), "excludes zero"),
    ([-0.2, -0.3, -0.25], "higher", None, "refuted", None, "lies on the side not claimed"),
    ([0.2, 0.3, 0.25], "higher", None, "supported", None, "excludes zero"),
    ([0.2, 0.3, 0.25], "lower", None, "refuted", None, "lies on the side not claimed"),
    ([-0.2, 0.3, 0.25], "lower", None, "inconclusive", None, "includes zero"),
    ([-0.2, 0.3, 0.25], "higher", None, "inconclusive", None, "includes zero"),
    ([-0.1, 0.1, 0.05], "equivalent", 0.2, "equivalent", (0.9, -0.1588, 0.1921), "lies within the margin"),
    ([-0.1, 0.1, 0.05], "equivalent", 0.18, "inconclusive", (0.95, -0.2419, 0.2752), "crosses the margin"),
    ([0.2, 0.3, 0.25], "equivalent", 0.1, "refuted", (0.95, 0.1258, 0.3742), "lies outside the margin"),
    ([-0.2, -0.3, -0.25], "equivalent", 0.1, "refuted", None, "lies outside the margin"),
    ([0.2, 0.3, 0.25], "equivalent", 0.15, "inconclusive", None, "crosses the margin"),
    ([0.2], "lower", None, "inconclusive", None, "needs 2 pairs, has 1"),
    ([0.2, 0.2, 0.2], "lower", None, "inconclusive", None, "all 3 differences are 0.2: no spread to judge by"),
    ([0.2, float("nan")], "lower", None, "inconclusive", None, "difference 2 of 2 is nan"),
]


@pytest.mark.parametrize(("gaps", "direction", "margin", "verdict", "interval", "lies"), CASES)
def test_the_rule(
    gaps: list[float],
    direction: Direction,
    margin: float | None,
    verdict: str,
    interval: tuple[float, float, float] | None,
    lies: str,
) -> None:
    found = judge(gaps, [0.0] * len(gaps), by=PAIRED, direction=direction, margin=margin, level=0.05)
    assert found.verdict == verdict
    if isinstance(found.interval, Undefined):
        assert (found.interval.reason, found.relation) == (lies, None)
        return
    assert found.relation == lies
    assert interval in (None, (found.interval.level, round(found.interval.low, 4), round(found.interval.high, 4)))


def test_the_level_moves_the_interval() -> None:
    gaps = [0.1, 0.9, 0.7]
    rule: Any = {"by": PAIRED, "direction": "higher", "margin": None}
    assert judge(gaps, [0.0] * 3, level=0.2, **rule)[0] == "supported"
    found = judge(gaps, [0.0] * 3, level=0.0125, **rule)
    assert found.verdict == "inconclusive"
    assert found.interval.level == 0.9875  # type: ignore[union-attr]


@pytest.mark.parametrize("pairing", ["paired", "unpaired"])
@pytest.mark.parametrize("direction", ["lower", "higher", "equivalent"])
def test_a_table_of_runs_is_judged_row_by_row_as_the_tests_say(direction: str, pairing: str) -> None:
    """Against scipy's t tests and its intervals, which share no code with the rule."""
    rng = np.random.default_rng(5)
    arm = rng.normal(5.4, [[0.3], [1.0], [3.0]] * 60, size=(180, 5))
    against = rng.normal(5.0, 0.2, size=(180, 5))
    rule: Any = {"by": COMPARISONS[pairing], "direction": direction, "level": 0.1}  # type: ignore[index]
    rule["margin"] = 1.0 if direction == "equivalent" else None
    table = verdicts(arm, against, **rule)
    for left, right, found in zip(arm, against, table, strict=True):
        assert judge(left.tolist(), right.tolist(), **rule)[0] == found
        test = stats.ttest_rel(left, right) if pairing == "paired" else stats.ttest_ind(left, right, equal_var=False)
        inner, outer = test.confidence_interval(0.8), test.confidence_interval(0.9)
        if direction == "equivalent":
            outside = outer.low > 1.0 or outer.high < -1.0
            within = inner.low > -1.0 and inner.high < 1.0
            expected = "equivalent" if within else "refuted" if outside else "inconclusive"
        else:
            claimed = (test.statistic < 0) == (direction == "lower")
            expected = "inconclusive" if test.pvalue >= 0.1 else "supported" if claimed else "refuted"
        assert found == expected
    assert len(set(table)) > 1


@pytest.mark.parametrize("pairing", ["paired", "unpaired"])
def test_the_rule_agrees_with_the_p_value_that_stands_beside_it(pairing: str) -> None:
    by = COMPARISONS[pairing]  # type: ignore[index]
    rng = np.random.default_rng(6)
    for left, right in zip(rng.normal(0.8, 1, (60, 5)).tolist(), rng.normal(0, 1, (60, 5)).tolist(), strict=True):
        sided = judge(left, right, by=by, direction="higher", margin=None, level=0.1)[0]
        equal = judge(left, right, by=by, direction="equivalent", margin=1.5, level=0.1)[0]
        test, tost = by.test(left, right), by.equivalence(left, right, margin=1.5)
        assert isinstance(test, PValue)
        assert isinstance(tost, PValue)
        assert (sided != "inconclusive") == (test.p < 0.1)
        assert (equal == "equivalent") == (tost.p < 0.1)


def test_an_unpaired_verdict_says_so_and_needs_more_than_a_paired_one() -> None:
    arm, against = [1.0, 2.0, 3.0, 4.0], [1.2, 2.3, 3.2, 4.3]
    rule: Any = {"direction": "lower", "margin": None, "level": 0.05}
    assert judge(arm, against, by=PAIRED, **rule)[0] == "supported"
    found = judge(arm, against, by=COMPARISONS["unpaired"], **rule)
    assert found.verdict == "inconclusive"
    assert (found.interval.method, found.relation) == ("Welch, unpaired", "includes zero")  # type: ignore[union-attr]


def test_rows_without_spread_decide_nothing() -> None:
    gaps = np.array([[0.3, 0.3, 0.3], [0.3, 0.3, 0.3 + 5e-17], [0.0, 0.0, 0.0], [0.3, 0.31, 0.3]])
    for by in COMPARISONS.values():
        found = verdicts(gaps, np.zeros_like(gaps), by=by, direction="higher", margin=None, level=0.05)
        assert found.tolist() == ["inconclusive", "inconclusive", "inconclusive", "supported"]
