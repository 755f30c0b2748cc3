import itertools

import numpy as np
import pytest

from stacklab.stats.calibration.exact import FAMILIES, accuracies, constants, fewest, outcomes
from stacklab.stats.calibration.table import LEVEL, Table
from stacklab.stats.comparison import COMPARISONS
from stacklab.stats.verdict import Rule, judge


@pytest.fixture(scope="module")
def table() -> Table:
    return accuracies(0, 0)


def test_the_outcomes_are_all_there_are() -> None:
    arm_KN, chance_K = outcomes(3, 0.2)
    by_hand = np.zeros(4)
    for seeds in itertools.product((0, 1), repeat=3):
        by_hand[3 - sum(seeds)] += np.prod([0.8 if seed else 0.2 for seed in seeds])
    assert chance_K == pytest.approx(by_hand)
    assert arm_KN.sum(axis=1).tolist() == [3, 2, 1, 0]


def test_up_to_twenty_seeds_no_share_of_failures_makes_a_verdict_err_more_than_it_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Per direction half the level, in families of any size, at every number of seeds."""
    monkeypatch.setattr("stacklab.stats.calibration.exact.EXACT_SEEDS", tuple(range(3, 21)))
    monkeypatch.setattr("stacklab.stats.calibration.exact.MARGINS", tuple(number / 20 for number in range(1, 11)))
    table = accuracies(0, 0)
    for row in table.rows:
        for family in FAMILIES:
            assert table.value(f"higher, K = {family}", *row.keys) <= LEVEL / family / 2
        assert max(value or 0 for value in row.values[len(FAMILIES) :]) < LEVEL + 0.0005, row


def test_beyond_it_holds_as_well(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one more seed at the worst end alone, 0.058 pass as equivalent at 100 seeds."""
    for seeds in ("50", "100"):
        for family in FAMILIES:
            assert table.value(f"higher, K = {family}", seeds) <= LEVEL / family / 2
    monkeypatch.setattr("stacklab.stats.calibration.exact.EXACT_SEEDS", (20, 21, 60, 100))
    monkeypatch.setattr("stacklab.stats.calibration.exact.SHARES", ())
    monkeypatch.setattr("stacklab.stats.calibration.exact.MARGINS", tuple(number / 50 for number in range(1, 26)))
    for row in accuracies(0, 0).rows:
        assert max(value or 0 for value in row.values[len(FAMILIES) :]) <= LEVEL, row
    monkeypatch.setattr("stacklab.stats.verdict.missed", lambda values, least: np.zeros(len(values)))
    assert max(value or 0 for value in accuracies(0, 0).rows[-1].values) > 0.055


def test_perfect_separation_takes_six_pairs_or_four_runs_against_four() -> None:
    table = constants(0, 0)
    assert [table.value("1 claim", "separated", arms) for arms in ("paired", "unpaired")] == [6, 4]
    assert [table.value("12 claims", "separated", arms) for arms in ("paired", "unpaired")] == [9, 6]
    assert table.value("1 claim", "accuracies 1 and 0", "paired") == 4
    for margin, seeds in (("0.02", 149), ("0.05", 59), ("0.1", 29), ("0.2", 14)):
        assert table.value("1 claim", f"accuracies both 1, margin ±{margin}", "paired") == seeds


@pytest.mark.parametrize("pairing", ["paired", "unpaired"])
def test_the_fewest_seeds_decide_and_one_less_does_not(pairing: str) -> None:
    by, rule = COMPARISONS[pairing], Rule("equivalent", 0.2, bounded=True)  # type: ignore[index]
    least = fewest(1.0, 1.0, rule, "equivalent", by=by, level=0.05)
    decided = [judge([1.0] * n, [1.0] * n, by=by, rule=rule).verdict == "equivalent" for n in range(2, 40)]
    assert decided == [n >= least for n in range(2, 40)]
