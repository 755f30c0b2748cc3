"""What every engine promises, whichever it is."""

import json
import signal
from pathlib import Path

import pytest
from tests.study.engines.fake_runs import make_run, seen, steps
from tests.study.engines.helpers import Notes, drive, finish, wait_for_steps

from stacklab.run.paths import RunPaths
from stacklab.study.engines.protocol import STOPPED, Engine, RunEnd


def test_runs_start_in_the_order_given_and_ends_come_back_in_it(tmp_path: Path, engine: Engine, watch: Notes) -> None:
    folders = [make_run(tmp_path / name) for name in ("c", "a", "b")]
    ends = engine.run(folders, watch=watch)
    assert ends == [RunEnd(folder, "finished") for folder in folders] == watch.ends
    assert watch.begun == [("c", 1), ("a", 1), ("b", 1)]
    assert watch.ticks > 0
    assert [steps(folder) for folder in folders] == [[1, 2, 3]] * 3


def test_a_run_that_is_done_is_not_touched(tmp_path: Path, engine: Engine, watch: Notes) -> None:
    done, new = make_run(tmp_path / "done"), make_run(tmp_path / "new")
    (done / "result.json").write_text('{"status": "diverged", "reason": "earlier"}')
    ends = engine.run([done, new], watch=watch)
    assert ends == [RunEnd(done, "diverged", "earlier", attempts=0), RunEnd(new, "finished")]
    assert watch.begun == [("new", 1)] and seen(done) == []


def test_divergence_is_an_outcome_with_its_reason(tmp_path: Path, engine: Engine, watch: Notes) -> None:
    folder = make_run(tmp_path / "a", status="diverged")
    assert engine.run([folder], watch=watch) == [RunEnd(folder, "diverged", "the loss became nan")]


def test_a_failure_costs_its_run_only_and_is_not_tried_again(tmp_path: Path, engine: Engine, watch: Notes) -> None:
    user, bug, leave, good = folders = [
        make_run(tmp_path / "user", error="user"),
        make_run(tmp_path / "bug", error="bug"),
        make_run(tmp_path / "leave", error="exit"),
        make_run(tmp_path / "good"),
    ]
    ends = engine.run(folders, watch=watch)
    assert ends == [
        RunEnd(user, "failed", "corpus.txt:3: is empty"),
        RunEnd(bug, "failed", f"ValueError: a bug of ours (traceback in {RunPaths(bug).error})"),
        RunEnd(leave, "failed", f"SystemExit: 4 (traceback in {RunPaths(leave).error})"),
        RunEnd(good, "finished"),
    ]
    assert json.loads(RunPaths(user).error.read_text()) == {"error": "corpus.txt:3: is empty", "traceback": None}
    trace = json.loads(RunPaths(bug).error.read_text())["traceback"]
    assert "fake_runs.py" in trace and trace.endswith("ValueError: a bug\nof ours\n")
    assert not RunPaths(good).error.exists()


def test_a_card_out_of_memory_costs_its_run_only(tmp_path: Path, engine: Engine, watch: Notes) -> None:
    """The inline engine runs one at a time, so a run has the card to itself at once; others try it again."""
    large, good = make_run(tmp_path / "large", out_of_memory=9), make_run(tmp_path / "good")
    reason = "with the card to itself; a smaller train.micro_batch_size needs less"
    lost, other = engine.run([large, good], watch=watch)
    assert other == RunEnd(good, "finished")
    assert (lost.status, lost.attempts) == ("failed", 1 if engine.name == "inline" else 2)
    assert lost.reason == f"out of GPU memory, {reason}"
    assert json.loads(RunPaths(large).error.read_text()) == {"error": lost.reason, "traceback": None}


def test_a_failure_is_reported_when_it_cannot_be_written(tmp_path: Path, engine: Engine, watch: Notes) -> None:
    folder = make_run(tmp_path / "bug", error="bug")
    RunPaths(folder).error.mkdir()
    assert engine.run([folder], watch=watch) == [RunEnd(folder, "failed", "ValueError: a bug of ours")]


@pytest.mark.parametrize("name", ["inline", "processes"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_saves_and_the_same_command_resumes(tmp_path: Path, name: str, number: signal.Signals) -> None:
    folders = [make_run(tmp_path / letter, steps=300, seconds=0.02) for letter in "abc"]
    process = drive(name, *folders)
    wait_for_steps(folders[0], 3)
    process.send_signal(number)
    assert finish(process) == (130, f"began\n{STOPPED}\n")
    done = steps(folders[0])
    assert done[-1] == int((folders[0] / "saved_at").read_text()) < 300
    assert seen(folders[2]) == []

    for folder in folders:
        (folder / "plan.json").write_text(json.dumps({"steps": done[-1] + 2}))
    assert finish(drive(name, *folders)) == (0, "began\n")
    assert steps(folders[0]) == list(range(1, done[-1] + 3))


def test_an_ignored_signal_stays_ignored(tmp_path: Path, engine: Engine, watch: Notes) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        folder = make_run(tmp_path / "a", steps=2, hangs_up=True)
        assert engine.run([folder], watch=watch)[0].status == "finished"
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
