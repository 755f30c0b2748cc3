import itertools

import numpy as np
import pytest

from stacklab.stats.paired import smallest_sign_flip_p
from stacklab.stats.result import PValue, Undefined
from stacklab.stats.sign_flip import sign_flip


def p_value(gaps: list[float]) -> PValue:
    found = sign_flip(gaps)
    assert isinstance(found, PValue)
    return found


def slow(gaps: list[float]) -> float:
    sums = [
        sum(s * gap for s, gap in zip(signs, gaps, strict=True))
        for signs in itertools.product((1, -1), repeat=len(gaps))
    ]
    return sum(abs(one) >= abs(sum(gaps)) - 1e-12 for one in sums) / len(sums)


@pytest.mark.parametrize("seeds", [1, 2, 3, 6, 9])
def test_it_counts_every_flip(seeds: int) -> None:
    rng = np.random.default_rng(seeds)
    for gaps in rng.normal(0.4, 1.0, size=(20, seeds)).round(1).tolist():
        if any(gaps):
            assert p_value(gaps).p == slow(gaps)


def test_ties_count_however_the_sums_are_rounded() -> None:
    assert p_value([0.1, 0.2, 0.3, -0.6]).p == 1.0
    assert p_value([0.3, 0.3, 0.3 - 1e-17, 0.3]).p == smallest_sign_flip_p(4)
    assert p_value([0.1, 0.2, 0.3]).p == p_value([0.3, 0.1, 0.2]).p == p_value([-0.1, -0.2, -0.3]).p == 0.25


def test_under_the_null_it_is_below_any_level_no_more_often_than_the_level() -> None:
    gaps = np.random.default_rng(1).standard_t(3, size=(3_000, 6))
    found = np.array([p_value(row).p for row in gaps.tolist()])
    for level in (1 / 32, 0.05, 0.1, 0.5):
        assert np.mean(found <= level) <= level + 4 * (level * (1 - level) / 3_000) ** 0.5
    assert np.mean(found <= 1 / 32) == pytest.approx(1 / 32, abs=0.013)


def test_many_pairs_are_sampled_and_it_says_so() -> None:
    gaps = np.random.default_rng(2).normal(0.5, 1.0, size=20).tolist()
    exact, sampled = p_value(gaps), p_value([*gaps, 0.0])
    assert (exact.method, sampled.method) == ("sign flip, exact", "sign flip, Monte Carlo of 99999")
    assert sampled.p == pytest.approx(exact.p, abs=4 * (exact.p / 99_999) ** 0.5)
    assert sampled == p_value([*gaps, 0.0])
    assert p_value([1.0] * 40).p == 1e-5


@pytest.mark.parametrize(
    ("gaps", "reason"),
    [
        ([], "needs 1 pairs, has 0"),
        ([0.0, 0.0], "all 2 differences are 0: flipping signs changes nothing"),
        ([1.0, float("nan")], "difference 2 of 2 is nan"),
        ([float("inf"), 1.0], "difference 1 of 2 is inf"),
    ],
)
def test_what_allows_no_test_is_undefined(gaps: list[float], reason: str) -> None:
    assert sign_flip(gaps) == Undefined(reason=reason)
