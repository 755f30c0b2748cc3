"""Tests see the cards of a machine only where those marked gpu are requested."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONFTEST = (ROOT / "tests" / "conftest.py").read_text()
TEST = """
import os
import pytest

print("cards:", os.environ["CUDA_VISIBLE_DEVICES"] or "hidden")

def test_cpu():
    pass

@pytest.mark.gpu
def test_gpu():
    pass
"""


@pytest.mark.parametrize(
    ("expression", "cards", "outcome"),
    [
        ("", "hidden", "1 passed, 1 skipped"),
        ("not gpu", "hidden", "1 passed"),
        ("gpu", "7", "1 skipped"),
        ("gpu or trains", "7", "1 skipped"),
    ],
)
def test_cards_are_hidden_unless_requested(tmp_path: Path, expression: str, cards: str, outcome: str) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_both.py").write_text(TEST)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n gpu: needs a card\n trains: trains")
    arguments = ["-q", "-s", "-p", "no:cacheprovider", "-m", expression, str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments],
        cwd=tmp_path,
        env=os.environ | {"CUDA_VISIBLE_DEVICES": "7"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"cards: {cards}" in done.stdout and outcome in done.stdout, done.stdout + done.stderr
