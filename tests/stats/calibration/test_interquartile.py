import pytest

from stacklab.stats.calibration.interquartile import NOISES, interquartile


def test_the_interval_covers_less_than_it_says_with_three_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stacklab.stats.bootstrap.RESAMPLES", 499)
    table = interquartile(200, seed=1)
    for noise in NOISES:
        assert 0.65 < table.value("3 seeds", noise) < 0.9
        assert table.value("10 seeds", noise) > 0.84
