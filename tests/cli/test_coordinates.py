import re
import sys
from pathlib import Path

import pytest
from tests.study.conftest import TINY

from stacklab.cli.main import main


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY)
    return path


def stacklab(monkeypatch: pytest.MonkeyPatch, *args: str) -> int:
    monkeypatch.setattr(sys, "argv", ["stacklab", "coordinates", "tiny.yaml", *args])
    with pytest.raises(SystemExit) as left:
        main()
    return int(left.value.code or 0)


@pytest.mark.trains
def test_a_check_prints_powers_and_draws_them(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    assert stacklab(monkeypatch, "--widths", "8,16", "--depths", "1,2", "--steps", "1", "--seeds", "2") == 0
    printed = capsys.readouterr()
    assert "Powers of d_model (8, 16) after 1 steps, seeds 1, 2" in printed.out
    assert re.search(r"after block 1 .*±.*(flat|grows|shrinks)", printed.out)
    assert "d_model 16, mup (4 of 4)" in printed.err
    assert "num_layers 1, standard (1 of 4)" in printed.err
    (folder,) = (tiny.parent / "stacklab-out" / "coordinates").iterdir()
    assert {path.suffix for path in folder.glob("depth*")} == {".png", ".svg", ".csv"}
    assert re.findall(r"figure: (\S+)", printed.out) == [
        str(Path("stacklab-out/coordinates") / folder.name / f"{name}.png") for name in ("width", "depth")
    ]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--widths", "8"], "--widths 8: expected two different positive numbers"),
        (["--widths", "8,x"], "--widths 8,x: expected whole numbers"),
        (["--widths", "8,9"], "--widths 9: num_heads = 2 .* does not divide d_model = 9"),
        (["--widths", "8,16", "--depths", "2"], "--depths 2: expected two"),
        (["--widths", "8,16", "--seeds", "1,1"], "--seeds: seed 1 appears twice"),
        (["model.context_length=4", "--widths", "8,16"], "the base: data.block_size = 32 exceeds"),
        (["--scale", "huge"], "no scale 'huge'"),
    ],
)
def test_what_cannot_be_checked_is_one_line_and_exit_code_2(
    args: list[str],
    message: str,
    tiny: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert stacklab(monkeypatch, *args) == 2
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1 and not printed.out
    assert re.search(message, printed.err), printed.err
