"""The check of a GPU, with commands that stand in for its own: there is no GPU here."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from stacklab.base.errors import DataError, SpecError
from stacklab.bench import gpu_check, gpu_check_items, gpu_check_run
from stacklab.bench.gpu_check import Budget, environment, main, render, run_part
from stacklab.bench.gpu_check_items import ROOT, Item, bench_items, study_items
from stacklab.bench.gpu_check_items import test_items as items_of_tests
from stacklab.bench.gpu_check_run import read_junit, run_item

SOON = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: (print('saved'), sys.exit(130))); "


def item(code: str, *, name: str = "one", **fields: object) -> Item:
    return Item(name, ("-c", code), **fields)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_check_run, "STOP_SECONDS", 3.0)
    monkeypatch.setattr(gpu_check, "LEAST_SECONDS", 0.0)


def test_an_item_is_run_and_its_figures_are_read(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    code = f"print('a table'); open({str(figures)!r}, 'w').write('[1]')"
    outcome = run_item(item(code, figures=figures), 60.0, folder=tmp_path)
    assert (outcome["state"], outcome["text"], outcome["figures"]) == ("ok", "a table", [1])


def test_a_failed_item_shows_its_error(tmp_path: Path) -> None:
    outcome = run_item(item("print('before'); 1 / 0", figures=tmp_path / "none.json"), 60.0, folder=tmp_path)
    assert outcome["state"] == "failed" and outcome["figures"] is None
    assert outcome["text"].startswith("before") and outcome["text"].endswith("ZeroDivisionError: division by zero")


def test_an_item_that_takes_too_long_is_ended_with_its_children(tmp_path: Path) -> None:
    child = f"import time; time.sleep(4); open({str(tmp_path / 'late')!r}, 'w')"
    code = f"import subprocess, sys; print('begun', flush=True); subprocess.run([sys.executable, '-c', {child!r}])"
    outcome = run_item(item(code), 3.0, folder=tmp_path)
    assert outcome["state"] == "stopped" and outcome["text"] == "begun" and outcome["seconds"] < 5
    time.sleep(2.5)
    assert not (tmp_path / "late").exists()


def test_an_item_that_resumes_may_save_its_work(tmp_path: Path) -> None:
    outcome = run_item(item(SOON + "time.sleep(60)", resumes=True), 5.0, folder=tmp_path)
    assert outcome["state"] == "stopped" and outcome["text"] == "saved"


def test_a_report_is_copied_with_its_facts(tmp_path: Path) -> None:
    report = tmp_path / "study" / "report"
    report.mkdir(parents=True)
    (report / "facts.json").write_text('{"claims": 3}')
    outcome = run_item(item(f"print('report: {report}/report.html')"), 60.0, folder=tmp_path / "out")
    assert outcome["figures"] == {"claims": 3}
    assert (tmp_path / "out" / "gpu-check-report" / "facts.json").exists()


def test_a_part_goes_on_after_a_failure_and_says_what_it_left_out(tmp_path: Path) -> None:
    items = [
        item("1 / 0", name="broken"),
        item("import time; time.sleep(0.5)", name="slow", kind="step"),
        item("print('fine')", name="other"),
        item("", name="too slow", kind="step", leaves=59.0),
    ]
    assert not run_part("bench", items, seconds=60.0, folder=tmp_path, facts={"cards": "Test card"})
    result = json.loads((tmp_path / "gpu-check-bench.json").read_text())
    assert [one["state"] for one in result["items"]] == ["failed", "ok", "ok", "left out"]
    page = (tmp_path / "gpu-check-bench.md").read_text()
    assert "| cards | Test card |" in page and "**Failed** (of 60 s): broken" in page
    assert "**Left out** (of 60 s): too slow" in page and "fine" in page


def test_the_files_hold_what_is_known_so_far(tmp_path: Path) -> None:
    seen = f"print(len(open({str(tmp_path / 'gpu-check-bench.md')!r}).read()) > 0)"
    assert run_part("bench", [item("print(1)"), item(seen)], seconds=60.0, folder=tmp_path, facts={})
    assert json.loads((tmp_path / "gpu-check-bench.json").read_text())["items"][1]["text"] == "True"


def test_an_item_is_not_started_with_less_time_than_the_longest_of_its_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(gpu_check.time, "monotonic", lambda: now)
    budget = Budget(100.0)
    step, other = item("", kind="step"), item("")
    budget.spent(step, 60.0)
    budget.spent(step, 30.0)
    now = 39.0
    assert budget.allows(step) and budget.allows(other)
    now = 41.0
    assert not budget.allows(step) and budget.allows(other)
    assert not budget.allows(item("", leaves=59.5))


def test_every_test_marked_gpu_is_run(tmp_path: Path) -> None:
    items = {one.name: one.arguments for one in items_of_tests(tmp_path)}
    arguments = items["tests on the GPU"]
    assert arguments[arguments.index("-m", 2) + 1] == "gpu"
    assert {"tests/run/test_gpu.py", "tests/model/ops/test_chunked_loss_on_devices.py"} <= set(arguments)
    assert all((ROOT / path).exists() for path in arguments if path.startswith("tests/"))
    with pytest.raises(DataError, match="in the source folder"):
        items_of_tests(tmp_path, root=tmp_path)


def test_configurations_are_widths_and_depths(tmp_path: Path) -> None:
    first, second, replicas, third = bench_items(tmp_path, configurations=("384x12", "64x1", "768x1"), pairs=3)
    assert {"--d-model", "384", "--layers", "12", "--pairs", "3"} <= set(first.arguments)
    assert {"768", "1"} <= set(third.arguments) and second.kind == third.kind == "step" != replicas.kind
    with pytest.raises(SpecError, match="'384' is not d_model x layers"):
        bench_items(tmp_path, configurations=("384",), pairs=3)


def test_the_study_names_its_files_and_leaves_time_for_the_report(tmp_path: Path) -> None:
    study, report = study_items(text=ROOT / "README.md", tokenizer=tmp_path, seeds=3, out=tmp_path)
    assert study.resumes and study.leaves and study.arguments[2] == "run" and report.arguments[2] == "report"
    assert study.arguments[3:] == report.arguments[3:]
    assert {"paper", "1,2,3", f"data.source={{kind: file, path: {ROOT}/README.md}}"} <= set(study.arguments)
    with pytest.raises(DataError, match="name another with --text or STACKLAB_TEXT"):
        study_items(text=tmp_path / "none.csv", tokenizer=tmp_path, seeds=3, out=tmp_path)


def test_a_pytest_file_is_counted(tmp_path: Path) -> None:
    (tmp_path / "test_a.py").write_text("def test_good(): pass\ndef test_bad(): assert 1 == 2\n")
    arguments = gpu_check_items._pytest("tests", "not gpu", [str(tmp_path / "test_a.py")], tmp_path / "a.xml")
    outcome = run_item(arguments, 100.0, folder=tmp_path)
    assert outcome["state"] == "failed" and "assert 1 == 2" in outcome["text"]
    counts = read_junit(tmp_path / "a.xml")
    assert (counts["tests"], counts["failures"], counts["errors"], counts["skipped"]) == (2, 1, 0, 0)
    assert list(counts["failed"].values()) == [["assert 1 == 2"]]


def test_a_page_holds_no_heading_for_what_was_left_out() -> None:
    left_out = {"name": "step", "state": "left out", "seconds": 0.0, "text": ""}
    page = render({"part": "bench", "seconds": 9.0, "environment": {}, "items": [left_out]})
    assert "## step" not in page and "**Left out** (of 9 s): step" in page


def test_the_environment_names_the_software() -> None:
    facts = environment()
    assert facts["torch"] == torch.__version__ and facts["cards"] == "" and facts["driver"]


@pytest.mark.parametrize("arguments", [[], ["bench"], ["tests", "study"]])
def test_without_a_gpu_it_says_so_in_one_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_the_program_writes_a_page_where_the_time_suffices_for_nothing(tmp_path: Path) -> None:
    """As scripts/gpu-check starts it, with a card that is pretended."""
    code = (
        "import runpy, sys, torch; torch.cuda.is_available = lambda: True\n"
        f"sys.argv = ['gpu-check', 'bench', '--seconds', '0', '--out', {str(tmp_path)!r}]\n"
        "runpy.run_module('stacklab.bench.gpu_check', run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "**Left out** (of 0 s): step, d_model 384, 12 layers;" in (tmp_path / "gpu-check-bench.md").read_text()


def test_wrong_input_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert main(["bench", "--configurations", "many"]) == 2
    assert capsys.readouterr().err == "gpu-check: --configurations: 'many' is not d_model x layers, such as 384x12\n"
