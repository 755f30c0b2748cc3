import numpy as np
import pytest

from stacklab.stats.calibration.families import Family, draw, holm, nulls, p_values, power
from stacklab.stats.calibration.table import LEVEL, above
from stacklab.stats.multiplicity import adjust

REPEATS = 3_000


def test_rows_are_adjusted_as_one_study_is() -> None:
    p_RK = np.random.default_rng(1).random((40, 7)) ** 3
    p_RK[:, 3] = p_RK[:, 4]
    for row, adjusted in zip(p_RK, holm(p_RK), strict=True):
        assert adjusted == pytest.approx(adjust(row.tolist(), method="holm"))


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


def test_p_values_are_those_of_the_rule() -> None:
    gaps = draw(Family(2), np.random.default_rng(3), 50, 4)
    from scipy import stats

    assert p_values(gaps) == pytest.approx(stats.ttest_1samp(gaps, 0, axis=2).pvalue)
