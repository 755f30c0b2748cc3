"""Whatever stands in the folder of a run or a study costs that one alone: status, compare, report, run and the page
name it and go on with the rest."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.study.conftest import TINY

from stacklab.api import load_study
from stacklab.base.errors import DataError, RunsFailedError
from stacklab.cli.compare import compare
from stacklab.cli.run import _check_ends
from stacklab.cli.status import status
from stacklab.report.facts.build import build_facts
from stacklab.report.pages.markdown import render_markdown
from stacklab.report.sections.registry import sections
from stacklab.run.paths import OutPaths, RunPaths
from stacklab.study.planning.plan import load_plan
from stacklab.study.results.results import StudyResult, open_results


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a study file with its trained runs in `out`."""
    root = tmp_path_factory.mktemp("trained")
    (root / "tiny.yaml").write_text(TINY)
    run(root)
    return root


@pytest.fixture
def folder(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COLUMNS", "300")
    return shutil.copytree(trained, tmp_path / "study")


def run(root: Path) -> StudyResult:
    return load_study(str(root / "tiny.yaml"), scale="smoke", out=root / "out").run(engine="inline")


def first_run(root: Path) -> RunPaths:
    """That of the arm `deep` at seed 1."""
    plan = load_plan(root / "out" / "studies" / "tiny-smoke")
    return OutPaths(root / "out").run(plan.run_spec(plan.arm("deep"), 1).run_id)


def as_folder(path: Path) -> None:
    path.mkdir()
    (path / "inside").write_text("x")


CONTENTS: dict[str, Callable[[Path], Any]] = {
    "empty": lambda path: path.write_bytes(b""),
    "list": lambda path: path.write_text("[]"),
    "null": lambda path: path.write_text("null\n"),
    "number": lambda path: path.write_text("1\n"),
    "text": lambda path: path.write_text('"text"'),
    "object": lambda path: path.write_text("{}\n"),
    "other types": lambda path: path.write_text(
        '{"status": 1, "metrics": [], "step": "x", "error": [], "before": 7}\n'
    ),
    "another version": lambda path: path.write_text('{"version": 99, "status": "finished", "step": 6}\n'),
    "not finite": lambda path: path.write_text('{"status": "finished", "metrics": {"validation.loss": NaN}}\n'),
    "not text": lambda path: path.write_bytes(bytes(range(256))),
    "deep": lambda path: path.write_text("[" * 100_000 + "\n"),
    "a folder": as_folder,
    "a link to nowhere": lambda path: path.symlink_to("nowhere"),
    "a link to itself": lambda path: path.symlink_to(path.name),
}


def damage(path: Path, content: str) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    CONTENTS[content](path)


def page_of(root: Path) -> str:
    facts = build_facts(open_results(root / "out" / "studies" / "tiny-smoke"))
    return render_markdown(facts, sections(facts)).replace("\\", "")


@pytest.mark.parametrize("content", CONTENTS)
def test_a_damaged_result_costs_its_run_alone(folder: Path, content: str, capsys: pytest.CaptureFixture[str]) -> None:
    damaged = first_run(folder)
    damage(damaged.result, content)
    status(out=folder / "out")
    shown = capsys.readouterr().out
    assert "5 of 6 runs done" in shown and shown.count("│ finished") == 5 and "damaged (result.json" in shown
    compare("tiny-smoke/deep", "tiny-smoke/shallow", out=folder / "out", scale="smoke", level=0.05)
    assert f"left out: tiny-smoke/deep seed 1: damaged, {damaged.folder}: " in capsys.readouterr().out
    page = page_of(folder)
    assert "the folder of deep seed 1 is damaged: result.json" in page
    assert f"delete runs/{damaged.run_id}, and `stacklab run` trains it again" in page
    result = run(folder)
    assert {claim.id: claim.verdict for claim in result.claims} == dict.fromkeys(("fit:shallow", "fit:wide"), "invalid")
    with pytest.raises(RunsFailedError, match=f"1 of 6 run folders .*result.json.*; delete runs/{damaged.run_id}"):
        _check_ends(result)
    shutil.rmtree(damaged.folder)
    assert all(row.status == "finished" for row in run(folder).rows)


FILES = ("spec.json", "metrics.jsonl", "evals.jsonl", "timing.json", "samples.json", "provenance.json", "timing.jsonl")


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("name", FILES)
def test_every_other_file_of_a_finished_run_costs_at_most_that_run(
    folder: Path, name: str, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(first_run(folder).folder / name, content)
    status(out=folder / "out")
    shown = capsys.readouterr().out
    assert shown.count("│ finished") >= 5
    compare("tiny-smoke/deep", "tiny-smoke/shallow", out=folder / "out", scale="smoke", level=0.05)
    page_of(folder)


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize(
    "name", ["progress.json", "error.json", "metrics.jsonl", "evals.jsonl", "checkpoint.safetensors"]
)
def test_an_unfinished_run_with_a_damaged_file_costs_no_other(
    folder: Path, name: str, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = first_run(folder)
    paths.result.unlink()
    damage(paths.folder / name, content)
    status(out=folder / "out")
    assert "5 of 6 runs done" in capsys.readouterr().out
    page_of(folder)
    rows = {(row.arm, row.seed): row for row in run(folder).rows}
    first = rows.pop(("deep", 1))
    assert all(row.status == "finished" for row in rows.values())
    assert first.status == "finished" or (first.status == "failed" and name in first.reason)


@pytest.mark.parametrize("content", CONTENTS)
def test_something_else_in_place_of_a_run_folder_costs_that_run_alone(
    folder: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = first_run(folder)
    damage(paths.folder, content)
    status(out=folder / "out")
    assert capsys.readouterr().out.count("│ finished") == 5
    page_of(folder)
    rows = [row.status for row in run(folder).rows]
    assert rows.count("finished") == 6 if content == "a folder" else rows.count("damaged") == 1


@pytest.mark.parametrize("content", CONTENTS)
def test_a_damaged_study_folder_costs_that_study_alone(
    folder: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    studies = folder / "out" / "studies"
    shutil.copytree(studies / "tiny-smoke", studies / "tiny-other")
    damage(studies / "tiny-other" / "plan.json", content)
    damage(studies / "tiny-place", content)
    status(out=folder / "out")
    shown = capsys.readouterr().out
    assert "6 of 6 runs done" in shown
    assert "tiny-other: damaged: " in shown and "tiny-place: damaged: " in shown
    damage(studies / "tiny-smoke-00000000", "a folder")
    damage(studies / "tiny-smoke-00000000" / "ledger.jsonl", content)
    page_of(folder)
    assert all(row.status == "finished" for row in run(folder).rows)


def test_an_edited_digit_in_a_result_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = first_run(folder)
    text = paths.result.read_text()
    loss = json.loads(text)["metrics"]["validation.loss"]
    paths.result.write_text(text.replace(str(loss), str(loss - 1)))
    compare("tiny-smoke/deep", "tiny-smoke/shallow", out=folder / "out", scale="smoke", level=0.05)
    line = f"left out: tiny-smoke/deep seed 1: altered, {paths.folder}: result.json was edited"
    assert line in capsys.readouterr().out
    assert "the folder of deep seed 1 was copied or edited: result.json was edited" in page_of(folder)
    with pytest.raises(DataError, match=f"has no finished run .*altered.*{paths.folder}: result.json was edited"):
        compare(paths.run_id, "tiny-smoke/shallow", out=folder / "out", scale="smoke", level=0.05)
