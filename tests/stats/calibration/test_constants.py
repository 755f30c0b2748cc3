import pytest

from stacklab.stats.calibration.constants import constants, fewest
from stacklab.stats.comparison import COMPARISONS
from stacklab.stats.verdict import Rule, judge


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
