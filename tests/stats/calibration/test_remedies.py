import numpy as np
import pytest
from scipy import stats

from stacklab.stats.calibration.noise import NOISES, draw_pairs
from stacklab.stats.calibration.remedies import (
    SEEDS,
    SMALLER,
    bootstrap_t,
    effect_of,
    johnson,
    remedies,
    sign_flips,
    t_test,
)
from stacklab.stats.calibration.table import LEVEL, Table
from stacklab.stats.paired import sign_flip
from stacklab.stats.result import PValue

REPEATS = 1_000


def losing_a_tenth_at_most(table: Table, seeds: int, most: float = LEVEL) -> set[str]:
    """The rules that err in at most `most` and keep nine tenths of the power under both noises."""
    least = 0.9 * table.value("power, one arm", "t (the rule)", str(seeds))
    return {
        rule
        for rule, count in (row.keys for row in table.rows)
        if count == str(seeds)
        and table.value("false lower", rule, count) <= most
        and table.value("power", rule, count) >= 0.9
        and table.value("power, one arm", rule, count) >= least
    }


def test_no_known_rule_holds_the_level_under_the_noise_of_one_arm_for_a_tenth_of_the_power() -> None:
    """If one did, it should be the rule. At 20 seeds the t test at a smaller level does, but not in families."""
    table = remedies(REPEATS, seed=1)
    for seeds in (3, 5, 8):
        assert losing_a_tenth_at_most(table, seeds) == set(), seeds
    assert losing_a_tenth_at_most(table, 20, most=LEVEL + 0.015) >= {"t at a smaller level"}
    for count in map(str, SEEDS):
        assert table.value("false lower", "t (the rule)", count) > LEVEL
        assert table.value("power", "t (the rule)", count) == 1.0
        assert table.value("false lower", "t at a smaller level", count) == pytest.approx(LEVEL, abs=0.015)
        equal_error = 0.9 * table.value("power, one arm", "t at a smaller level", count)
        assert table.value("power, one arm", "Hall's transformation", count) < equal_error
    assert table.value("power", "half the level", "3") < 0.75


def test_a_smaller_level_does_not_hold_in_families() -> None:
    rng = np.random.default_rng(1)
    arm, against = draw_pairs(NOISES["one arm has it all"], rng, 20_000, 20)
    p_R = t_test(arm - against)
    assert np.mean(p_R <= SMALLER[20]) < 0.06
    assert np.mean(p_R <= SMALLER[20] / 12) > 2 * LEVEL / 12


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
