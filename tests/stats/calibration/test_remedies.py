import numpy as np
import pytest
from scipy import stats

from stacklab.stats.calibration.remedies import (
    QUICK,
    SEEDS,
    SLOW,
    bootstrap_t,
    effect_of,
    johnson,
    remedies,
    sign_flips,
)
from stacklab.stats.calibration.table import LEVEL
from stacklab.stats.paired import sign_flip
from stacklab.stats.result import PValue

REPEATS = 1_000


def test_no_known_rule_holds_the_level_under_the_noise_of_one_arm_for_a_tenth_of_the_power() -> None:
    """If one did, it should be the rule."""
    table = remedies(REPEATS, seed=1)
    for rule in QUICK | SLOW:
        keys = [(rule, str(seeds)) for seeds in SEEDS]
        holds = all(table.value("false lower", *key) <= LEVEL for key in keys)
        keeps_power = all(table.value("power", *key) >= 0.9 for key in keys)
        assert not (holds and keeps_power), rule
    for seeds in SEEDS:
        assert table.value("false lower", "t (the rule)", str(seeds)) > LEVEL
        assert table.value("power", "t (the rule)", str(seeds)) == 1.0
    assert table.value("power", "half the level", "3") < 0.75


def test_sign_flips_of_rows_are_those_of_one_row() -> None:
    rows = np.random.default_rng(1).normal(0.5, 1, (20, 6))
    for row, p in zip(rows, sign_flips(rows), strict=True):
        one = sign_flip(row.tolist())
        assert isinstance(one, PValue)
        assert p == pytest.approx(one.p)


def test_johnsons_t_is_students_where_nothing_is_skewed() -> None:
    assert johnson(np.array([[-1.0, 0.5, 2.0]])) == pytest.approx(stats.ttest_1samp([-1.0, 0.5, 2.0], 0).pvalue)
    tail = np.array([[0.0, 0.1, 0.2, 0.1, 3.0]])
    assert johnson(tail) < stats.ttest_1samp(tail[0], 0).pvalue < johnson(tail - 2)


def test_the_studentised_bootstrap_sees_a_large_effect_and_cannot_with_three_seeds() -> None:
    rng = np.random.default_rng(1)
    assert bootstrap_t(rng.normal(5, 1, (20, 12))).all()
    assert not bootstrap_t(rng.normal(5, 1, (20, 3))).any()


def test_the_effect_has_the_power_that_it_is_chosen_for() -> None:
    assert effect_of(0.8, 10) == pytest.approx(0.996, abs=0.005)
