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


def test_beyond_it_stays_close(table: Table) -> None:
    for seeds in ("50", "100"):
        assert table.value("higher, K = 1", seeds) <= LEVEL
        assert all(table.value(f"equal ±{margin}", seeds) < 0.06 for margin in (0.05, 0.1, 0.2, 0.5))


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
