"""Texts and numbers of a study by somebody else: refused by line, or printed as they are written."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.study.conftest import TINY
from typer.testing import CliRunner

from stacklab.cli.main import app, run_command

SECRET = "s3cr3t-value"
PLAN = ("--no-calibrate",)


def study(folder: Path, old: str, new: str) -> Path:
    assert old in TINY
    path = folder / "study.yaml"
    path.write_text(TINY.replace(old, new))
    return path


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("title: Tiny", "title: ${oc.env:SECRET_TOKEN}", "study.yaml:2: '${oc.env:SECRET_TOKEN}': nothing is put"),
        ("title: Tiny", "title: !!timestamp x", "study.yaml:2: !!timestamp: tags are not read"),
        ("seeds: [1, 2]", 'seeds: [!!bool "x", 2]', "study.yaml:37: !!bool: tags are not read"),
        ("name: tiny", f"a: {'[' * 300}{']' * 300}", "study.yaml:1: nested deeper than 50 levels"),
        ("steps: 6", "steps: 020", "study.yaml:12: 020: write the number without leading zeros"),
        ("seeds: [1, 2]", "seeds: [1, 1:30]", "study.yaml:37: 1:30: write one number"),
    ],
    ids=["environment", "timestamp", "bool", "deep", "octal", "sexagesimal"],
)
def test_what_a_study_must_not_hold_is_one_line(
    old: str, new: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SECRET_TOKEN", SECRET)
    path = study(tmp_path, old, new)
    monkeypatch.setattr("sys.argv", ["stacklab", "run", str(path), "-o", str(tmp_path / "o")])
    assert run_command() == 2
    output, error = capfd.readouterr()
    assert (output, error.count("\n")) == ("", 1) and message in error and SECRET not in error
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    "text", ["Is [dim] kept?", "Is [/] allowed?", "[red]Why?[/red] :bomb:", "${oc.env:SECRET_TOKEN}"]
)
def test_questions_are_printed_as_they_are_written(text: str, tmp_path: Path) -> None:
    path = study(tmp_path, "question: Does it run?", f'question: "{text}"')
    done = CliRunner().invoke(
        app, ["plan", str(path), "-o", str(tmp_path / "o"), *PLAN], env={"SECRET_TOKEN": SECRET, "COLUMNS": "400"}
    )
    assert done.exit_code == 0, done.output
    assert done.output.startswith(f"Tiny, scale smoke: {text}\n") and SECRET not in done.output


def test_escape_sequences_do_not_reach_the_terminal(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = study(tmp_path, "label: two layers", r'label: "\e[31mRED\e]0;own\a\n\u202edeep [/]"')
    path.write_text(path.read_text().replace("question: Does it run?", r'question: "\e[2JQ"'))
    for command in (["run", str(path), "-w", "1"], ["plan", str(path), *PLAN], ["status"], ["report", str(path)]):
        done = CliRunner().invoke(app, [*command, "-o", str(tmp_path / "o")], env={"COLUMNS": "400"})
        output = done.output + "".join(capfd.readouterr())
        assert done.exit_code == 0, output
        assert not {"\x1b", "\x07", "\u202e"} & set(output)
        assert command[0] == "status" or r"\x1b[31mRED\x1b]0;own" in "".join(output.split())


def test_long_texts_are_shortened(tmp_path: Path) -> None:
    path = study(tmp_path, "label: two layers", f"label: {'x' * 100_000}")
    path.write_text(path.read_text().replace("Does it run?", "y" * 100_000))
    done = CliRunner().invoke(app, ["plan", str(path), "-o", str(tmp_path / "o"), *PLAN], env={"COLUMNS": "120"})
    assert done.exit_code == 0 and len(done.output) < 60_000
    assert "yy... (100019 characters) ...yy" in " ".join(done.output.split())


def test_a_terminal_that_has_ascii_only_shows_escapes(tmp_path: Path) -> None:
    path = study(tmp_path, "question: Does it run?", "question: Café?")
    command = [sys.executable, "-m", "stacklab", "plan", str(path), "-o", str(tmp_path / "o"), *PLAN]
    done = subprocess.run(command, env=os.environ | {"PYTHONIOENCODING": "ascii"}, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert rb"Caf\xe9?" in done.stdout


def test_nothing_of_the_environment_is_written(tmp_path: Path) -> None:
    path = study(tmp_path, "title: Tiny", "title: '${oc.env:SECRET_TOKEN}'")
    names = ("SECRET_TOKEN", "OMP_WAIT_POLICY", "HF_TOKEN", "HF_ENDPOINT", "USER", "LOGNAME", "HOSTNAME", "HOME")
    command = [
        sys.executable,
        "-m",
        "stacklab",
        "run",
        str(path),
        "-s",
        "one-arm",
        "-w",
        "1",
        "-o",
        str(tmp_path / "o"),
    ]
    done = subprocess.run(
        command, cwd=tmp_path, env=os.environ | dict.fromkeys(names, SECRET), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    files = [file for file in (tmp_path / "o").rglob("*") if file.is_file()]
    assert any(file.name == "facts.json" for file in files)
    assert not [file for file in files if SECRET.encode() in file.read_bytes()]
