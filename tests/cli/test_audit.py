import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from stacklab.audit.spec import Audit
from stacklab.base.errors import DataError, DiskError, SpecError
from stacklab.cli.audit import audit

LOG = "".join(f"step {n}: train loss {5 - n / 100:.4f}, val loss {5 - n / 200:.4f}\n" for n in range(0, 200, 10))


def call(*args: str | Path, monkeypatch: pytest.MonkeyPatch, width: int = 160) -> Result:
    app = typer.Typer()
    app.command()(audit)
    monkeypatch.setenv("COLUMNS", str(width))
    return CliRunner().invoke(app, [str(arg) for arg in args])


def test_findings_are_grouped_in_a_table_and_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log, stated, out = tmp_path / "run[a].txt", tmp_path / "stated.yaml", tmp_path / "out" / "findings.json"
    log.write_text(LOG)
    stated.write_text("training: {steps: 400, batch_size: 2, block_size: 8, epochs: 4, corpus_tokens: 1600}\n")
    done = call(log, "--stated", stated, "--out", out, monkeypatch=monkeypatch)
    assert done.exit_code == 0, done.output
    assert done.output.startswith("The files state no claim. The numbers do not carry a claim")
    table = done.output.partition("What the numbers show")[2]
    assert table.index("training loss") < table.index("seeds")
    assert "run[a]" in done.output, "a name in brackets is no markup"
    assert "The log ends at step 190 of 400." in done.output
    result = Audit.model_validate(json.loads(out.read_text()))
    assert result.files == ("run[a].txt",)
    (tokens,) = (finding for finding in result.findings if finding.kind == "tokens-per-epoch")
    assert tokens.numbers["tokens_per_epoch"] == 1600
    assert {finding.subject for finding in result.findings if finding.kind == "noise"} == {"run[a]"}


def test_several_files_are_compared_with_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [tmp_path / f"{name}.txt" for name in "abc"]
    for path in paths:
        path.write_text(LOG)
    output = call(*paths, monkeypatch=monkeypatch).output
    assert "b - a" in output
    assert "c - a" in output
    assert "c - b" not in output


@pytest.mark.parametrize(
    ("name", "content", "error", "message"),
    [
        ("log.txt", b"\x00\x01\x02\x03", DataError, "log.txt:1: not text"),
        ("stated.yaml", b"a: 1", SpecError, "unknown key"),
    ],
)
def test_bad_files_are_user_errors(
    name: str, content: bytes, error: type[Exception], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "log.txt").write_text(LOG)
    (tmp_path / "stated.yaml").write_text("")
    (tmp_path / name).write_bytes(content)
    failed = call(tmp_path / "log.txt", "--stated", tmp_path / "stated.yaml", monkeypatch=monkeypatch).exception
    assert isinstance(failed, error)
    assert message in str(failed)
    assert getattr(failed, "exit_code", None) == 2


def test_an_output_that_is_the_log_or_the_stated_numbers_is_refused_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, stated = tmp_path / "log.txt", tmp_path / "stated.yaml"
    log.write_text(LOG)
    stated.write_text("training: {steps: 400}\n")
    (tmp_path / "hard.txt").hardlink_to(log)
    for out in (log, stated, tmp_path / "hard.txt"):
        done = call(log, "--stated", stated, "--out", out, monkeypatch=monkeypatch)
        assert isinstance(done.exception, DiskError)
        assert "is read by this command" in str(done.exception)
    assert log.read_text() == LOG
    assert stated.read_text() == "training: {steps: 400}\n"
