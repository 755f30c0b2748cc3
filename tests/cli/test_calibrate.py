import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from stacklab.cli.calibrate import calibrate
from stacklab.stats.calibration import simulate
from stacklab.stats.calibration.families import nulls, power
from stacklab.stats.calibration.losses import looks

app = typer.Typer()
app.command()(calibrate)


@pytest.fixture(autouse=True)
def _three_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulate, "TABLES", (looks, nulls))
    monkeypatch.setattr(simulate, "SLOW", (power,))
    monkeypatch.setenv("COLUMNS", "160")


def test_the_rates_are_printed_and_written(tmp_path: Path) -> None:
    out = tmp_path / "rates.json"
    done = CliRunner().invoke(app, ["--repeats", "300", "--seed", "3", "--out", str(out)])
    assert done.exit_code == 0, done.output
    written = simulate.Calibration.model_validate(json.loads(out.read_text()))
    assert (written.repeats, written.seed, written.level) == (300, 3, 0.05)
    lines = [[part.strip() for part in line.split("│")[1:-1]] for line in done.output.splitlines() if "│" in line]
    rows = [row for table in written.tables for row in table.rows]
    assert len(lines) == len(rows)
    for line, row in zip(lines, rows, strict=True):
        assert line[len(row.keys) - 1] in (row.keys[-1], ""), "a noise stands in the first of its rows only"
        assert line[len(row.keys)].startswith(f"{row.values[0]:.3f}")
    naive = next(line for line in lines if line[0] == "normal")
    assert naive[2] == f"{written.table('looks').value('false, full level each', 'normal'):.3f} !"


def test_the_slow_tables_are_simulated_on_demand() -> None:
    titles = [CliRunner().invoke(app, ["--repeats", "100", *option]).output for option in ([], ["--all"])]
    assert ["Power for true claims" in title for title in titles] == [False, True]


def test_too_few_repeats_are_refused() -> None:
    done = CliRunner().invoke(app, ["--repeats", "3"])
    assert done.exit_code == 2
