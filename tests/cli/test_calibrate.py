import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from stacklab.cli.calibrate import calibrate
from stacklab.stats.calibration.simulate import Calibration

app = typer.Typer()
app.command()(calibrate)


def test_the_rates_are_printed_and_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    out = tmp_path / "rates.json"
    done = CliRunner().invoke(app, ["--repeats", "300", "--seed", "3", "--out", str(out)])
    assert done.exit_code == 0, done.output
    written = Calibration.model_validate(json.loads(out.read_text()))
    assert (written.repeats, written.seed, written.bca_repeats) == (300, 3, 300)
    lines = [[part.strip() for part in line.split("│")[1:-1]] for line in done.output.splitlines() if "│" in line]
    rows = [line for line in lines if line[1].isdigit()]
    assert (len(written.cells), len(written.unpaired)) == (35, 28)
    for row, cell in zip(rows, (*written.cells, *written.unpaired), strict=True):
        assert row[1] == str(cell.seeds)
        assert row[4] == f"{cell.covered:.3f}"
    naive = next(line for line in lines if line[0] == "normal" and len(line) == 5)
    assert naive[2] == f"{written.looks[0].false_naive:.3f} !"


def test_too_few_repeats_are_refused() -> None:
    done = CliRunner().invoke(app, ["--repeats", "3"])
    assert done.exit_code == 2
