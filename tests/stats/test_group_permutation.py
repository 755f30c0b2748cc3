import itertools

import numpy as np
import pytest

from stacklab.stats.group_permutation import group_permutation, smallest_permutation_p
from stacklab.stats.result import PValue, Undefined


def p_value(arm: list[float], against: list[float]) -> PValue:
    found = group_permutation(arm, against)
    assert isinstance(found, PValue)
    return found


def slow(arm: list[float], against: list[float]) -> float:
    values, size = [*arm, *against], len(arm)

    def gap(places: tuple[int, ...]) -> float:
        inside = [values[place] for place in places]
        return abs(sum(inside) / size - (sum(values) - sum(inside)) / (len(values) - size))

    gaps = [gap(places) for places in itertools.combinations(range(len(values)), size)]
    return sum(one >= gap(tuple(range(size))) - 1e-12 for one in gaps) / len(gaps)


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_it_counts_every_split_and_ties_as_well(seeds: int) -> None:
    rng = np.random.default_rng(seeds)
    for _ in range(8):
        arm, against = rng.normal(5.0, 1.0, size=(2, seeds)).round(1).tolist()
        found = p_value(arm, against)
        assert found.p == pytest.approx(slow(arm, against))
        assert found.method == "permutation of unpaired runs, exact"


def test_the_smallest_p_is_that_of_arms_wholly_apart() -> None:
    arm, against = [1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]
    assert p_value(arm, against).p == pytest.approx(smallest_permutation_p(4))


def test_many_runs_are_sampled_and_it_says_so() -> None:
    rng = np.random.default_rng(2)
    arm, against = rng.normal(0.9, 1.0, 9).tolist(), rng.normal(0.0, 1.0, 9).tolist()
    exact = p_value(arm, against)
    sampled = p_value([*arm, 0.45], [*against, 0.45])
    assert sampled.method == "permutation of unpaired runs, Monte Carlo of 99999"
    assert sampled.p == pytest.approx(exact.p, abs=0.05)
    assert sampled == p_value([*arm, 0.45], [*against, 0.45])


@pytest.mark.parametrize(
    ("arm", "against", "reason"),
    [
        ([1.0], [1.0, 2.0], "the arm needs 2 values, has 1"),
        ([2.0, 2.0], [2.0, 2.0], "all 4 values are 2: dealing them anew changes nothing"),
        ([1.0, float("nan")], [2.0, 2.0], "the arm: value 2 of 2 is nan"),
    ],
)
def test_what_the_data_do_not_allow_is_undefined(arm: list[float], against: list[float], reason: str) -> None:
    assert group_permutation(arm, against) == Undefined(reason=reason)
