import numpy as np
import pytest

from stacklab.stats.bootstrap import interquartile_mean
from stacklab.stats.result import Estimate, Undefined


def test_it_is_the_mean_of_the_middle_half_over_all_tasks() -> None:
    found = interquartile_mean({"a": [1.0, 9.0, 2.0, 3.0], "b": [4.0, 5.0, 6.0, 900.0]}, level=0.05)
    assert isinstance(found, Estimate)
    assert found.value == np.mean([3.0, 4.0, 5.0, 6.0])
    assert (found.n, found.level) == (8, 0.95)
    assert found.low < found.value < found.high


def test_seeds_are_drawn_within_their_task() -> None:
    """Tasks far apart with hardly any spread of their own: drawing across tasks would make the interval wide."""
    found = interquartile_mean({"a": [0.0, 0.01], "b": [5.0, 5.01], "c": [50.0, 50.01]}, level=0.05)
    assert isinstance(found, Estimate)
    assert found.high - found.low < 0.1


def test_the_interval_covers_a_planted_mean_despite_outliers() -> None:
    rng = np.random.default_rng(1)
    hits = []
    for _ in range(60):
        drawn = rng.normal(1.0, 1.0, size=(3, 8)) + 100 * (rng.random((3, 8)) < 0.02) * rng.choice([-1, 1], size=(3, 8))
        found = interquartile_mean(dict(zip("abc", drawn.tolist(), strict=True)), level=0.1)
        assert isinstance(found, Estimate)
        assert found.high - found.low < 4
        hits.append(found.low <= 1.0 <= found.high)
    assert np.mean(hits) == pytest.approx(0.9, abs=0.12)


@pytest.mark.parametrize(
    ("scores", "reason"),
    [
        ({}, "needs 4 scores to trim a quarter at each end, has 0"),
        ({"a": [1.0, 2.0]}, "needs 4 scores to trim a quarter at each end, has 2"),
        ({"a": [1.0, 2.0], "b": [1.0]}, "task b: needs 2 seeds, has 1"),
        ({"a": [1.0, 2.0], "b": [1.0, 2.0, 3.0]}, "tasks have different numbers of seeds: a 2, b 3"),
        ({"a": [1.0, 2.0], "b": [1.0, float("nan")]}, "task b: score 2 of 2 is nan"),
    ],
)
def test_what_cannot_be_aggregated_is_undefined(scores: dict[str, list[float]], reason: str) -> None:
    assert interquartile_mean(scores, level=0.05) == Undefined(reason=reason)
