import numpy as np
import pytest
from scipy import stats

from stacklab.stats.calibration.simulate import (
    CORRELATION,
    EFFECTS,
    LEVEL,
    NOISES,
    Calibration,
    above,
    calibrate,
    draw_pairs,
)
from stacklab.stats.power import difference_power, paired_design, unpaired_design

FAIR = ("normal", "skewed", "heavy tails", "bad seeds")
REPEATS = 3_000


@pytest.fixture(scope="module")
def found() -> Calibration:
    return calibrate(repeats=REPEATS, seed=1)


@pytest.mark.parametrize("name", list(NOISES)[:-1])
def test_runs_have_the_variance_and_the_correlation_that_are_stated(name: str) -> None:
    arm, against = draw_pairs(NOISES[name], np.random.default_rng(1), 60_000, 3)
    for runs in (arm, against, arm - against):
        assert runs.mean() == pytest.approx(0.0, abs=0.02)
        assert runs.var() == pytest.approx(1.0, abs=0.15 if name == "heavy tails" else 0.03)
    assert np.corrcoef(arm.ravel(), against.ravel())[0, 1] == pytest.approx(CORRELATION, abs=0.02)


def test_the_worst_case_is_skewed_and_scaled_as_the_others() -> None:
    arm, against = draw_pairs(NOISES["one arm has it all"], np.random.default_rng(1), 60_000, 3)
    gaps = (arm - against).ravel()
    assert (gaps.mean(), gaps.var()) == pytest.approx((0.0, 1.0), abs=0.03)
    assert stats.skew(gaps) == pytest.approx(1.75, abs=0.2)


def test_false_support_stays_at_its_level_for_all_noises_that_both_arms_share(found: Calibration) -> None:
    for cell in found.cells:
        if cell.noise in FAIR:
            for rate in (cell.false_lower, cell.false_higher):
                assert rate < LEVEL / 2 + 4 * (LEVEL / 2 / REPEATS) ** 0.5, cell
            assert cell.covered > 1 - LEVEL - 4 * (LEVEL / REPEATS) ** 0.5, cell
        if cell.noise != "one arm has it all":
            assert not above(cell.false_lower, LEVEL, REPEATS), cell


def test_normal_noise_gives_the_rates_of_theory(found: Calibration) -> None:
    for cell in found.cells[:5]:
        assert cell.noise == "normal"
        assert cell.false_lower == pytest.approx(LEVEL / 2, abs=4 * (0.025 / REPEATS) ** 0.5)
        assert cell.covered == pytest.approx(1 - LEVEL, abs=4 * (0.0475 / REPEATS) ** 0.5)
        assert cell.false_equivalent == pytest.approx(LEVEL, abs=4 * (0.0475 / REPEATS) ** 0.5)
        for effect, power in zip(EFFECTS, cell.power, strict=True):
            assert power == pytest.approx(difference_power(effect, paired_design(cell.seeds), level=LEVEL), abs=0.04)
    assert found.cells[0].covered_bca < 0.8 < 0.9 < found.cells[4].covered_bca


def test_unpaired_arms_keep_the_level_where_paired_ones_do(found: Calibration) -> None:
    assert {cell.seeds for cell in found.unpaired} == {3, 5, 10, 20}
    for cell in found.unpaired:
        if cell.noise in FAIR:
            for rate in (cell.false_lower, cell.false_higher):
                assert rate < LEVEL / 2 + 4 * (LEVEL / 2 / REPEATS) ** 0.5, cell
        if cell.noise != "one arm has it all":
            assert not above(cell.false_lower, LEVEL, REPEATS), cell
    for cell in found.unpaired[1:4]:
        assert cell.noise == "normal"
        for effect, power in zip(EFFECTS, cell.power, strict=True):
            expected = difference_power(effect, unpaired_design(cell.seeds), level=LEVEL)
            assert power == pytest.approx(expected, abs=0.05)


def test_the_worst_case_is_seen_as_such(found: Calibration) -> None:
    assert all(above(cell.false_lower, LEVEL, REPEATS) for cell in found.cells[-5:])


def test_looks_keep_the_level_only_under_the_rule(found: Calibration) -> None:
    for looks in found.looks[:-1]:
        assert not above(looks.false, LEVEL, REPEATS), looks
        assert looks.false_naive > 0.1
        assert looks.power > 0.85
    assert found.looks[0].false_chosen > found.looks[0].false


def test_the_same_seed_gives_the_same_rates() -> None:
    first, again, other = (calibrate(repeats=20, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first.cells != other.cells
