import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from stacklab.stats.calibration import families
from stacklab.stats.calibration.families import (
    MIXTURES,
    Family,
    conclusions,
    draw,
    mixed,
    nulls,
    p_values,
    power,
    wrong,
)
from stacklab.stats.calibration.table import LEVEL, above
from stacklab.stats.multiplicity import holm

REPEATS = 3_000


def test_claims_correlate_as_stated() -> None:
    gaps = draw(Family(3, 0.5), np.random.default_rng(1), 20_000, 2)
    assert gaps.var() == pytest.approx(1.0, abs=0.02)
    assert np.corrcoef(gaps[:, 0, 0], gaps[:, 2, 0])[0, 1] == pytest.approx(0.5, abs=0.02)


def test_a_study_without_effects_errs_no_more_than_one_claim_does() -> None:
    table = nulls(REPEATS, seed=1)
    for row in table.rows:
        assert not above(table.value("clear, Holm", *row.keys), LEVEL, REPEATS), row
    assert table.value("clear, alone", "12 independent", "3") == pytest.approx(1 - 0.95**12, abs=0.03)
    assert table.value("supported, alone", "12 independent", "5") == pytest.approx(0.27, abs=0.03)
    assert table.value("clear, alone", "42, correlation 0.5", "3") == pytest.approx(0.73, abs=0.04)


def test_the_power_of_one_true_claim_falls_with_the_size_of_its_family() -> None:
    table = power(REPEATS, seed=1)
    for claims, effect, powers in (("12", "3 sd", (0.11, 0.71, 1.0)), ("21", "3 sd", (0.07, 0.56, 0.99))):
        for seeds, expected in zip((3, 5, 8), powers, strict=True):
            assert table.value(f"{seeds} seeds, Holm", claims, effect) == pytest.approx(expected, abs=0.03)
            assert table.value(f"{seeds} seeds, matters", claims, effect) == pytest.approx(expected, abs=0.03)
    every = "12, all true", "3 sd"
    assert table.value("5 seeds, matters", *every) < 0.75 < 0.95 < table.value("5 seeds, Holm", *every)


def test_p_values_are_those_of_the_rule() -> None:
    gaps = draw(Family(2), np.random.default_rng(3), 50, 4)
    assert p_values(gaps) == pytest.approx(stats.ttest_1samp(gaps, 0, axis=2).pvalue)


def test_a_study_of_both_conclusions_errs_no_more_than_its_level(monkeypatch: pytest.MonkeyPatch) -> None:
    """Apart, each at the level, they err in nearly twice as many."""
    monkeypatch.setattr(families, "MIXED", (Family(6),))
    monkeypatch.setattr(families, "MIXED_SEEDS", (3, 20))
    table = mixed(1_500, seed=1)
    assert len(table.rows) == len(MIXTURES)
    for row in table.rows:
        for seeds in (3, 20):
            assert not above(table.value(f"{seeds} seeds", *row.keys), LEVEL, table.repeats), (row, seeds)
    worst = "6 independent", "the same, but one without"
    assert all(0.07 < table.value(f"apart, {seeds} seeds", *worst) < 0.11 for seeds in (3, 20))
    assert all(table.value(f"{seeds} seeds", *worst) > 0.03 for seeds in (3, 20)), "and loses little of it"


def test_a_claim_with_one_of_two_conclusions_must_not_leave_the_family(monkeypatch: pytest.MonkeyPatch) -> None:
    """Noise that lets a claim without an effect leave as smaller than what matters spares those with more noise."""
    mixture, family = MIXTURES["no effects, some noise"], Family(12)
    gaps = mixture.draw(family, np.random.default_rng(1), 1_000, 20)
    assert not above(wrong(gaps, mixture.effects(12), together=True), LEVEL, 1_000)
    first = np.minimum(p_values(gaps), within(gaps))
    monkeypatch.setattr(families, "holm", lambda p, leaving: holm(p, first))
    assert wrong(gaps, mixture.effects(12), together=True) > 2 * LEVEL


def within(gaps: NDArray[np.float64]) -> NDArray[np.float64]:
    """One-sided p values, the larger of two, of a difference within ±1."""
    sides = [stats.ttest_1samp(gaps, side * 1.0, axis=2, alternative=way).pvalue for side, way in SIDES]
    return np.maximum(*sides)


SIDES = ((1, "less"), (-1, "greater"))


def test_conclusions_of_claims_without_noise_are_the_truth() -> None:
    shown, less = conclusions(np.array([[[2.0, 2.1, 1.9]] * 2 + [[0.01, 0.02, 0.0]]]), 1.0, together=True)
    assert shown.tolist() == [[True, True, False]] and less.tolist() == [[False, False, True]]
