from typing import Any

import numpy as np
import pytest
from scipy import stats

from stacklab.stats.comparison import COMPARISONS
from stacklab.stats.result import PValue, Undefined
from stacklab.stats.verdict import Direction, Rule, judge, verdicts

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
    (
        [0.2] * 3,
        "lower",
        None,
        "inconclusive",
        None,
        "the difference is +0.2 at every seed; exact paired test, p = 0.25",
    ),
    (
        [0.2] * 5,
        "higher",
        None,
        "inconclusive",
        None,
        "the difference is +0.2 at every seed; exact paired test, p = 0.0625",
    ),
    (
        [0.2] * 6,
        "higher",
        None,
        "supported",
        None,
        "the difference is +0.2 at every seed; exact paired test, p = 0.0312",
    ),
    ([0.2] * 6, "lower", None, "refuted", None, "the difference is +0.2 at every seed; exact paired test, p = 0.0312"),
    ([0.0] * 9, "lower", None, "inconclusive", None, "identical at every seed; exact paired test, p = 1"),
    ([0.0] * 4, "equivalent", 0.1, "inconclusive", None, "identical at every seed; exact paired test, p = 0.0625"),
    ([0.0] * 5, "equivalent", 0.1, "equivalent", None, "identical at every seed; exact paired test, p = 0.0312"),
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
    found = judge(gaps, [0.0] * len(gaps), by=PAIRED, rule=Rule(direction, margin))
    assert found.verdict == verdict
    if isinstance(found.interval, Undefined):
        assert (found.interval.reason, found.relation) == (lies, None)
        return
    assert found.relation == lies
    assert interval in (None, (found.interval.level, round(found.interval.low, 4), round(found.interval.high, 4)))


def test_the_level_moves_the_interval() -> None:
    gaps = [0.1, 0.9, 0.7]
    assert judge(gaps, [0.0] * 3, by=PAIRED, rule=Rule("higher", level=0.2)).verdict == "supported"
    found = judge(gaps, [0.0] * 3, by=PAIRED, rule=Rule("higher", level=0.0125))
    assert found.verdict == "inconclusive"
    assert found.interval.level == 0.9875  # type: ignore[union-attr]


@pytest.mark.parametrize("pairing", ["paired", "unpaired"])
@pytest.mark.parametrize("direction", ["lower", "higher", "equivalent"])
def test_a_table_of_runs_is_judged_row_by_row_as_the_tests_say(direction: str, pairing: str) -> None:
    """Against scipy's t tests and its intervals, which share no code with the rule."""
    rng = np.random.default_rng(5)
    arm = rng.normal(5.4, [[0.3], [1.0], [3.0]] * 60, size=(180, 5))
    against = rng.normal(5.0, 0.2, size=(180, 5))
    rule: Any = {
        "by": COMPARISONS[pairing],  # type: ignore[index]
        "rule": Rule(direction, 1.0 if direction == "equivalent" else None, level=0.1),  # type: ignore[arg-type]
    }
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
        sided = judge(left, right, by=by, rule=Rule("higher", level=0.1))
        equal = judge(left, right, by=by, rule=Rule("equivalent", 1.5, level=0.1))
        test, tost = by.test(left, right), by.equivalence(left, right, margin=1.5)
        assert isinstance(test, PValue)
        assert isinstance(tost, PValue)
        assert isinstance(sided.test, PValue) and isinstance(equal.test, PValue)
        assert (sided.test.p, sided.test.method) == (pytest.approx(test.p), test.method)
        if equal.verdict == "refuted":
            assert equal.test.p < 0.1 and equal.test.method == f"{tost.method}, beyond the margin"
        else:
            assert (equal.test.p, equal.test.method) == (pytest.approx(tost.p), tost.method)
        assert (sided.verdict != "inconclusive") == (test.p < 0.1)
        assert (equal.verdict == "equivalent") == (tost.p < 0.1)


def test_an_unpaired_verdict_says_so_and_needs_more_than_a_paired_one() -> None:
    arm, against = [1.0, 2.0, 3.0, 4.0], [1.2, 2.3, 3.2, 4.3]
    assert judge(arm, against, by=PAIRED, rule=Rule("lower")).verdict == "supported"
    found = judge(arm, against, by=COMPARISONS["unpaired"], rule=Rule("lower"))
    assert found.verdict == "inconclusive"
    assert (found.interval.method, found.relation) == ("Welch, unpaired", "includes zero")  # type: ignore[union-attr]


def test_rows_without_spread_are_decided_by_the_exact_test() -> None:
    """Three equal seeds decide nothing; six pairs do, and so do four runs against four."""
    gaps = np.array([[0.3, 0.3, 0.3], [0.3, 0.3, 0.3 + 5e-17], [0.0, 0.0, 0.0], [0.3, 0.31, 0.3]])
    for by in COMPARISONS.values():
        decided = verdicts(gaps, np.zeros_like(gaps), by=by, rule=Rule("higher"))
        assert decided.tolist() == ["inconclusive", "inconclusive", "inconclusive", "supported"]
    for pairing, fewest in (("paired", 6), ("unpaired", 4)):
        by = COMPARISONS[pairing]  # type: ignore[index]
        for count, verdict in ((fewest - 1, "inconclusive"), (fewest, "supported")):
            assert judge([0.3] * count, [0.1] * count, by=by, rule=Rule("higher")).verdict == verdict


def test_a_difference_that_is_a_rounding_error_of_the_values_is_none() -> None:
    arm = [1 + 1e-13, 1 + 2e-13, 1 + 3e-13, 1.0, 1 + 2e-13, 1 + 1e-13]
    for by in COMPARISONS.values():
        decision = judge(arm, [1.0] * 6, by=by, rule=Rule("higher"))
        assert decision.verdict == "inconclusive"
        assert isinstance(decision.interval, Undefined) and decision.interval.reason.startswith("identical")


@pytest.mark.parametrize("direction", ["lower", "higher"])
def test_a_difference_wholly_within_what_matters_is_negligible_whatever_its_p(direction: Direction) -> None:
    arm, against = [1.0004, 1.0005, 1.0003], [1.0, 1.0, 1.0]
    alone = judge(arm, against, by=PAIRED, rule=Rule(direction))
    assert alone.verdict == ("supported" if direction == "higher" else "refuted")
    decision = judge(arm, against, by=PAIRED, rule=Rule(direction, matters=0.01))
    assert (decision.verdict, decision.relation, decision.test) == (
        "negligible",
        "lies within what matters",
        alone.test,
    )
    assert judge(arm, against, by=PAIRED, rule=Rule(direction, matters=0.0005)).verdict == alone.verdict


def test_a_negligible_difference_at_every_seed_takes_as_many_seeds_as_the_exact_test() -> None:
    for count, verdict in ((4, "inconclusive"), (5, "negligible")):
        assert judge([1.0] * count, [1.0] * count, by=PAIRED, rule=Rule("lower", matters=0.1)).verdict == verdict


BOUNDED = [
    ([1.0] * 3, [0.0] * 3, "inconclusive"),
    ([1.0] * 5, [0.0] * 5, "supported"),
    ([0.998, 0.999, 0.997, 0.999, 0.998], [0.125, 0.13, 0.12, 0.125, 0.128], "supported"),
    ([0.99, 0.98, 0.99, 0.985, 0.99], [0.97, 0.96, 0.965, 0.97, 0.97], "inconclusive"),
    ([0.125, 0.12, 0.13, 0.125, 0.12], [0.2125] * 5, "inconclusive"),
    ([0.0] * 5, [1.0] * 5, "refuted"),
]


@pytest.mark.parametrize("pairing", ["paired", "unpaired"])
@pytest.mark.parametrize(("arm", "against", "verdict"), BOUNDED)
def test_accuracies_must_survive_one_more_seed_at_the_worst_end(
    arm: list[float], against: list[float], verdict: str, pairing: str
) -> None:
    """Mirrored: arms exchanged and the claim turned round, or every accuracy taken from 1."""
    by = COMPARISONS[pairing]  # type: ignore[index]
    decision = judge(arm, against, by=by, rule=Rule("higher", bounded=True))
    assert decision.verdict == verdict
    assert judge(against, arm, by=by, rule=Rule("lower", bounded=True)).verdict == verdict
    errors = ([1 - value for value in values] for values in (arm, against))
    assert judge(*errors, by=by, rule=Rule("lower", bounded=True)).verdict == verdict
    if verdict == "inconclusive" and decision.relation:
        assert decision.relation == "includes zero with one more seed at the worst end"
        assert judge(arm, against, by=by, rule=Rule("higher")).verdict != "inconclusive", "the t interval alone errs"


def test_accuracies_are_equivalent_only_with_the_seeds_that_the_margin_takes() -> None:
    """A failure of every twentieth seed goes unseen in 58 seeds with a probability of 0.051."""
    rule = Rule("equivalent", 0.05, bounded=True)
    for count, verdict in ((5, "inconclusive"), (58, "inconclusive"), (59, "equivalent")):
        arm, against = [0.998, 0.999] * count, [0.999, 0.998] * count
        decision = judge(arm[:count], against[:count], by=PAIRED, rule=rule)
        assert decision.verdict == verdict
        if verdict == "inconclusive":
            assert decision.relation == "lies within the margin of too few seeds"
        assert judge([1.0] * count, [1.0] * count, by=PAIRED, rule=rule).verdict == verdict


@pytest.mark.parametrize("pairing", ["paired", "unpaired"])
def test_one_failure_in_sixty_seeds_forbids_an_equivalence_that_none_would_allow(pairing: str) -> None:
    """One failure in twenty shows at most one in 60 seeds with a probability of 0.19."""
    by, rule = COMPARISONS[pairing], Rule("equivalent", 0.05, bounded=True)  # type: ignore[index]
    assert judge([1.0] * 60, [1.0] * 60, by=by, rule=rule).verdict == "equivalent"
    decision = judge([0.0] + [1.0] * 59, [1.0] * 60, by=by, rule=rule)
    assert decision.verdict == "inconclusive"
    assert judge([0.0] + [1.0] * 59, [1.0] * 60, by=by, rule=Rule("equivalent", 0.05)).verdict == "equivalent"


def test_a_small_difference_of_accuracies_takes_the_seeds_that_would_show_the_failures_it_could_hide() -> None:
    """Twenty seeds that solve against a steady 0.84: an arm of equal mean would show them with a probability of 0.031,
    above half the level."""
    for steady, verdict in ((0.84, "inconclusive"), (0.82, "supported")):
        assert judge([1.0] * 20, [steady] * 20, by=PAIRED, rule=Rule("higher", bounded=True)).verdict == verdict


@pytest.mark.parametrize(
    ("rule", "wording"),
    [
        (Rule("higher", bounded=True), "paired t test with one more seed at the worst end"),
        (Rule("higher"), "exact paired test"),
    ],
)
def test_the_method_of_values_without_spread_is_the_one_that_gave_the_p_value(rule: Rule, wording: str) -> None:
    decision = judge([1.0] * 5, [0.0] * 5, by=PAIRED, rule=rule)
    assert isinstance(decision.test, PValue)
    assert decision.test.method == wording
    expected = stats.ttest_1samp([1.0] * 5 + [0.0], 0).pvalue if rule.bounded else 2 / 2**5
    assert decision.test.p == pytest.approx(expected)


@pytest.mark.parametrize("pairing", ["paired", "unpaired"])
@pytest.mark.parametrize("shift", [0.0, 0.7])
def test_one_sided_p_values_are_those_of_scipy(pairing: str, shift: float) -> None:
    rng = np.random.default_rng(8)
    arm, against = rng.normal(0.5, 1, (40, 6)), rng.normal(0, 2, (40, 6))
    by = COMPARISONS[pairing]  # type: ignore[index]
    above, below = by.p_above(arm, against, shift), by.p_above(against, arm, -shift)
    for place, (left, right) in enumerate(zip(arm - shift, against, strict=True)):
        for p, alternative in ((below, "less"), (above, "greater")):
            test = (
                stats.ttest_rel(left, right, alternative=alternative)
                if pairing == "paired"
                else stats.ttest_ind(left, right, equal_var=False, alternative=alternative)
            )
            assert p[place] == pytest.approx(test.pvalue, rel=1e-9)
