"""What processes add: a run that dies is tried again, and nothing is left behind."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from tests.study.engines.fake_runs import make_run, seen, steps
from tests.study.engines.helpers import Notes, drive, finish, processes, wait_for_steps

from stacklab.base.errors import StacklabError
from stacklab.study.engines import connection
from stacklab.study.engines.machine import cores
from stacklab.study.engines.processes import ProcessesEngine
from stacklab.study.engines.protocol import STOPPED, RunEnd


def test_a_killed_run_resumes_while_the_others_go_on(tmp_path: Path, watch: Notes) -> None:
    killed, good = make_run(tmp_path / "killed", kills=2), make_run(tmp_path / "good")
    ends = processes(1).run([killed, good], watch=watch)
    assert ends == [RunEnd(killed, "finished", attempts=3), RunEnd(good, "finished")]
    assert steps(killed) == [1, 2, 3]
    # The lost run waits until the others had their turn.
    assert watch.begun == [("killed", 1), ("good", 1), ("killed", 2), ("killed", 3)]
    assert watch.gone[0] == "killed: killed by signal 9; attempt 1 of 3"


def test_a_run_that_is_always_killed_fails_with_the_reason(tmp_path: Path, watch: Notes) -> None:
    folder, good = make_run(tmp_path / "a", kills=9), make_run(tmp_path / "b")
    reason = "killed by signal 9, 3 attempts; out of memory?"
    ends = processes(2).run([folder, good], watch=watch)
    assert ends == [RunEnd(folder, "failed", reason, attempts=3), RunEnd(good, "finished")]
    assert reason in (folder / "error.json").read_text()


def test_a_worker_stopped_by_another_process_is_started_again(tmp_path: Path, watch: Notes) -> None:
    folder = make_run(tmp_path / "a", steps=20, terminates=True)
    assert processes(1).run([folder], watch=watch) == [RunEnd(folder, "finished", attempts=2)]
    assert steps(folder) == list(range(1, 21))
    assert watch.gone == ["a: stopped by another process; attempt 1 of 3"]


def test_the_death_of_the_server_costs_one_attempt(tmp_path: Path, watch: Notes) -> None:
    folder = make_run(tmp_path / "a", steps=20, kills_parent=True)
    assert processes(1).run([folder], watch=watch) == [RunEnd(folder, "finished", attempts=2)]
    assert steps(folder) == list(range(1, 21)), "the orphan must save and leave before the next one starts"


@pytest.mark.parametrize("kills", [2, 3])
def test_a_server_that_is_killed_while_it_starts_is_started_three_times(
    tmp_path: Path, watch: Notes, monkeypatch: pytest.MonkeyPatch, kills: int
) -> None:
    begin = connection._launch

    def launch(reply: int, threads: int) -> "subprocess.Popen[bytes]":
        process = begin(reply, threads)
        if len(watch.notes) < kills:
            process.kill()
        return process

    monkeypatch.setattr(connection, "_launch", launch)
    folder = make_run(tmp_path / "a")
    if kills == 3:
        with pytest.raises(StacklabError, match="the workers cannot start: the limit of memory is reached"):
            processes(1).run([folder], watch=watch)
    else:
        assert processes(1).run([folder], watch=watch) == [RunEnd(folder, "finished")]
    assert [note.rpartition("; ")[2] for note in watch.notes] == ["attempt 1 of 3", "attempt 2 of 3"]


def test_workers_see_threads_and_environment(tmp_path: Path, watch: Notes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    for workers in (1, 2 * cores()):
        folder = make_run(tmp_path / f"{workers}")
        processes(workers).run([folder], watch=watch)
        (row,) = seen(folder)
        threads = max(1, cores() // workers)
        assert row["threads"] == threads and row["OMP_NUM_THREADS"] == str(threads)
        assert (row["OMP_WAIT_POLICY"], row["MALLOC_MMAP_MAX_"]) == ("PASSIVE", "0")
        assert row["pid"] != os.getpid()


def test_what_workers_print_becomes_notes(tmp_path: Path, watch: Notes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", "1")
    processes(2).run([make_run(tmp_path / name, says=f"hello from {name}") for name in "ab"], watch=watch)
    assert sorted(watch.notes) == ["hello from a"] * 100 + ["hello from b"] * 100


def test_nothing_is_left_behind(tmp_path: Path, watch: Notes) -> None:
    processes(2).run([make_run(tmp_path / "a", kills=1), make_run(tmp_path / "b")], watch=watch)
    assert psutil.Process().children(recursive=True) == []


def test_a_failing_watch_stops_the_runs_and_leaves_nothing_behind(tmp_path: Path, watch: Notes) -> None:
    folder = make_run(tmp_path / "a", steps=500, seconds=0.01)

    def broken() -> None:
        if len(steps(folder)) > 2:
            raise OSError("no terminal")

    watch.tick = broken  # type: ignore[method-assign]
    with pytest.raises(OSError, match="no terminal"):
        processes(1).run([folder], watch=watch)
    assert psutil.Process().children(recursive=True) == []
    assert steps(folder)[-1] == int((folder / "saved_at").read_text()) < 500


def test_workers_that_cannot_import_are_one_error(tmp_path: Path, watch: Notes) -> None:
    folder = make_run(tmp_path / "a")
    with pytest.raises(StacklabError, match=r"the workers cannot start: ModuleNotFoundError: .*no_such_module"):
        ProcessesEngine(workers=1, preload=("no_such_module",)).run([folder], watch=watch)
    assert watch.begun == []


def test_an_engine_works_off_the_main_thread(tmp_path: Path, watch: Notes) -> None:
    folder = make_run(tmp_path / "a")
    ends: list[RunEnd] = []
    thread = threading.Thread(target=lambda: ends.extend(processes(1).run([folder], watch=watch)))
    thread.start()
    thread.join()
    assert ends == [RunEnd(folder, "finished")]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_ctrl_c_reaches_the_whole_group_and_still_saves(tmp_path: Path, number: signal.Signals) -> None:
    folders = [make_run(tmp_path / name, steps=300, seconds=0.02) for name in "abc"]
    process = drive("processes", *folders)
    for folder in folders[:2]:
        wait_for_steps(folder, 3)
    os.killpg(process.pid, number)
    assert finish(process) == (130, f"began\n{STOPPED}\n")
    for folder in folders[:2]:
        assert int((folder / "saved_at").read_text()) == steps(folder)[-1] < 300
    assert all_gone(folders)


def test_a_second_ctrl_c_kills(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "a", steps=2, seconds=60)
    process = drive("processes", folder)
    wait_until(lambda: len(seen(folder)) == 1)
    began = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    time.sleep(0.5)
    os.killpg(process.pid, signal.SIGINT)
    assert finish(process) == (130, f"began\n{STOPPED}\n")
    assert time.monotonic() - began < 20
    assert all_gone([folder])


def test_no_orphan_trains_on_when_the_parent_is_killed(tmp_path: Path) -> None:
    folders = [make_run(tmp_path / name, steps=3000, seconds=0.02) for name in "ab"]
    process = drive("processes", *folders)
    for folder in folders:
        wait_for_steps(folder, 3)
    process.kill()
    finish(process)
    wait_until(lambda: all_gone(folders))
    for folder in folders:
        assert int((folder / "saved_at").read_text()) == steps(folder)[-1] < 3000


def all_gone(folders: list[Path]) -> bool:
    return not any(psutil.pid_exists(row["pid"]) for folder in folders for row in seen(folder))


def wait_until(true: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not true():
        assert time.monotonic() < until
        time.sleep(0.02)
