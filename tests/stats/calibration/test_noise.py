import numpy as np
import pytest
from scipy import stats

from stacklab.stats.calibration.noise import CORRELATION, NOISES, draw_pairs


@pytest.mark.parametrize("name", list(NOISES)[:-1])
def test_runs_have_the_variance_and_the_correlation_that_are_stated(name: str) -> None:
    arm, against = draw_pairs(NOISES[name], np.random.default_rng(1), 60_000, 3)
    for runs in (arm, against, arm - against):
        assert runs.mean() == pytest.approx(0.0, abs=0.02)
        assert runs.var() == pytest.approx(1.0, abs=0.15 if name == "heavy tails" else 0.03)
    assert np.corrcoef(arm.ravel(), against.ravel())[0, 1] == pytest.approx(CORRELATION, abs=0.02)


def test_noise_of_one_arm_alone_is_skewed_and_scaled_as_the_others() -> None:
    arm, against = draw_pairs(NOISES["one arm has it all"], np.random.default_rng(1), 60_000, 3)
    gaps = (arm - against).ravel()
    assert (gaps.mean(), gaps.var()) == pytest.approx((0.0, 1.0), abs=0.03)
    assert stats.skew(gaps) == pytest.approx(1.75, abs=0.2)
