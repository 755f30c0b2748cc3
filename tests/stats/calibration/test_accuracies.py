import numpy as np
import pytest

from stacklab.stats.calibration.accuracies import CHANCE, FAILURES, NULLS, SEEDS, Arm, accuracies, draw, power
from stacklab.stats.calibration.table import LEVEL, Table, above

REPEATS = 1_000


@pytest.fixture(scope="module")
def errors() -> Table:
    return accuracies(REPEATS, seed=1)


def test_no_false_verdict_exceeds_the_level_at_any_number_of_seeds(errors: Table) -> None:
    assert len(errors.rows) == 4 * (len(NULLS) + len(FAILURES))
    for row in errors.rows:
        for seeds in SEEDS:
            assert not above(errors.value(f"n = {seeds}", *row.keys), LEVEL, REPEATS), (row, seeds)


@pytest.mark.parametrize("arms", ["paired", "unpaired"])
def test_the_t_interval_alone_errs_in_most_studies(errors: Table, arms: str) -> None:
    """The figures that an opponent measured; without the rule for accuracies they come back."""
    steady = "solves 95% against steady", arms, "supported"
    failing = "fails 1 seed in 20, margin ±0.02", arms, "equivalent"
    for seeds, false_supported, false_equivalent in ((3, 0.81, 0.82), (5, 0.78, 0.77), (10, 0.60, 0.60)):
        assert errors.value(f"t, n = {seeds}", *steady) == pytest.approx(false_supported, abs=0.06)
        assert errors.value(f"t, n = {seeds}", *failing) == pytest.approx(false_equivalent, abs=0.06)


def test_the_arms_of_a_null_have_one_mean_and_those_that_fail_are_beyond_the_margin() -> None:
    for arm, against in NULLS.values():
        drawn = [draw(one, np.random.default_rng(2), 20_000, 5) for one in (arm, against)]
        assert arm.mean == pytest.approx(against.mean)
        for one, values in zip((arm, against), drawn, strict=True):
            assert values.mean() == pytest.approx(one.mean, abs=0.01)
            assert 0 <= values.min() <= values.max() <= 1
    for arm, against, margin in FAILURES.values():
        assert margin < against.mean - arm.mean < 2.2 * margin


def test_always_against_never_is_seen_from_five_seeds_on() -> None:
    table = power(REPEATS, seed=1)
    for row in table.rows:
        if row.keys[0].startswith("always"):
            assert table.value("3 seeds", *row.keys) == 0.0
            assert all(table.value(f"{seeds} seeds", *row.keys) >= 0.8 for seeds in (5, 10, 20)), row
    assert table.value("10 seeds", "90% against 10%", "paired") == pytest.approx(0.84, abs=0.04)


def test_without_questions_the_probe_has_no_noise() -> None:
    values = draw(Arm(0.5, questions=0), np.random.default_rng(1), 100, 3)
    assert set(values.ravel().tolist()) == {1.0, CHANCE}
