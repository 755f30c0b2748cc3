from pathlib import Path

import pytest
from tests.study.conftest import TINY
from typer.testing import CliRunner

from stacklab.base.errors import DataError
from stacklab.cli.main import app


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY)
    return path


def diff(tiny: Path, a: str, b: str) -> str:
    out = tiny.parent / "out"
    result = CliRunner().invoke(app, ["diff", f"{tiny}/{a}", f"{tiny}/{b}", "--out", str(out)], catch_exceptions=False)
    return " ".join(result.stdout.split())


def test_a_control_shows_its_knob_and_what_was_solved(tiny: Path) -> None:
    text = diff(tiny, "deep", "wide")
    assert "model.num_layers" in text and "model.d_model" in text and "model.d_ff" in text
    assert "model.num_heads" not in text and "train." not in text


def test_an_arm_does_not_differ_from_itself(tiny: Path) -> None:
    assert "no setting differs" in diff(tiny, "deep", "deep")


def test_an_unknown_arm_is_named(tiny: Path) -> None:
    with pytest.raises(DataError, match="no arm 'dep'"):
        diff(tiny, "dep", "deep")
