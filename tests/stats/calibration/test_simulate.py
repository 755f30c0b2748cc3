import pytest

from stacklab.stats.calibration import simulate
from stacklab.stats.calibration.families import nulls
from stacklab.stats.calibration.losses import looks


def test_the_same_seed_gives_the_same_rates_in_every_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulate, "TABLES", (nulls,))
    monkeypatch.setattr(simulate, "SLOW", (looks,))
    first, again, other = (simulate.calibrate(repeats=50, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first.tables != other.tables
    every = simulate.calibrate(repeats=50, seed=1, slow=True)
    assert [table.name for table in every.tables] == ["families", "looks"]
    assert every.table("families") == first.table("families")
