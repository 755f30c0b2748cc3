import itertools

import numpy as np
import pytest

from stacklab.stats.calibration.accuracies_exact import FAMILIES, exact, outcomes
from stacklab.stats.calibration.table import LEVEL, Table


@pytest.fixture(scope="module")
def table() -> Table:
    return exact(0, 0)


def test_the_outcomes_are_all_there_are() -> None:
    arm_KN, chance_K = outcomes(3, 0.2)
    by_hand = np.zeros(4)
    for seeds in itertools.product((0, 1), repeat=3):
        by_hand[3 - sum(seeds)] += np.prod([0.8 if seed else 0.2 for seed in seeds])
    assert chance_K == pytest.approx(by_hand)
    assert arm_KN.sum(axis=1).tolist() == [3, 2, 1, 0]


def test_up_to_twenty_seeds_no_share_of_failures_makes_a_verdict_err_more_than_it_says(table: Table) -> None:
    for seeds in ("3", "5", "10", "20"):
        for family in FAMILIES:
            assert table.value(f"higher, K = {family}", seeds) <= LEVEL / family
        assert all(table.value(f"equal ±{margin}", seeds) <= LEVEL for margin in (0.05, 0.1, 0.2, 0.5))


def test_beyond_it_stays_close(table: Table) -> None:
    for seeds in ("50", "100"):
        assert table.value("higher, K = 1", seeds) <= LEVEL
        assert all(table.value(f"equal ±{margin}", seeds) < 0.06 for margin in (0.05, 0.1, 0.2, 0.5))
