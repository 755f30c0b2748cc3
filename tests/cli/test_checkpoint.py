"""--checkpoint of the commands that read a run."""

import json
from pathlib import Path

import pytest
from tests.run.conftest import Bench

from stacklab.cli.main import app
from stacklab.run.execute import execute
from stacklab.run.store import best_text


def test_generate_says_of_which_step_the_best_weights_are(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    paths = bench.folder(bench.spec(keep_best=True))
    execute(paths.folder, threads=1)
    command = ["generate", paths.run_id, "-p", "The", "-n", "3", "--checkpoint", "best", "--out", str(bench.out.root)]
    app(command, standalone_mode=False)
    printed = capsys.readouterr()
    assert printed.out.startswith("The")
    assert printed.err == f"best checkpoint: {best_text(paths)}; 3 tokens, token count\n"
    assert best_text(paths).startswith("step 10 of 10, validation.loss 5.")


def test_export_writes_the_best_weights(bench: Bench, tmp_path: Path) -> None:
    paths = bench.folder(bench.spec(keep_best=True))
    execute(paths.folder, threads=1)
    command = ["export", paths.run_id, str(tmp_path / "hf"), "--checkpoint", "best", "--out", str(bench.out.root)]
    app(command, standalone_mode=False)
    assert json.loads((tmp_path / "hf" / "config.json").read_text())["model_type"]
    assert best_text(paths) in (tmp_path / "hf" / "README.md").read_text()
