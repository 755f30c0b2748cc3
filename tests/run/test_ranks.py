"""One run on two ranks, on the CPU: the same bytes in every launch, and nothing left behind."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from tests.run.conftest import Bench
from tests.run.test_execute import contents

from stacklab.base.errors import CheckpointError, DiskError, RunLostError, SpecError
from stacklab.base.files import read_json, read_jsonl, write_json
from stacklab.run.execute import execute
from stacklab.run.paths import RunPaths
from stacklab.run.ranks import launch
from stacklab.run.ranks.rank import _report
from stacklab.run.spec import RunSpec

SECONDS = 60.0


def long_run(bench: Bench) -> RunSpec:
    spec = bench.spec(steps=400, batch_size=4, checkpoint_every=7)
    return spec.model_copy(update={"evaluate": spec.evaluate.model_copy(update={"every": 50})})


def processes(folder: Path) -> list[psutil.Process]:
    """The ranks of a run, in their order."""
    found = {}
    for process in psutil.process_iter():
        try:
            command = process.cmdline()
            if (
                "stacklab.run.ranks.rank" in command
                and str(folder) in command
                and "torch.distributed.run" not in command
            ):
                found[process.environ()["RANK"]] = process
        except psutil.Error:
            continue
    return [found[name] for name in sorted(found)]


def steps(paths: RunPaths) -> int:
    return paths.metrics.read_bytes().count(b"\n") if paths.metrics.exists() else 0


def after(paths: RunPaths, count: int, act: Callable[[], bool]) -> Callable[[], bool]:
    """A stop that calls `act` once there are `count` steps."""
    return lambda: steps(paths) >= count and act()


def wait_until(condition: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < until, what
        time.sleep(0.05)


@pytest.mark.timeout(900)
@pytest.mark.trains
def test_stops_kills_and_a_lost_launcher_change_no_byte(bench: Bench) -> None:
    paths = bench.folder(long_run(bench))
    assert execute(paths.folder, threads=1, ranks=2) == "finished"
    straight = contents(paths)
    assert read_json(paths.provenance)["world_size"] == 2
    assert not paths.checkpoint.exists() and not processes(paths.folder)
    shutil.rmtree(paths.folder)
    bench.folder(long_run(bench))

    assert execute(paths.folder, threads=1, ranks=2, stop=after(paths, 10, lambda: True)) == "stopped"
    stopped = steps(paths)
    assert paths.checkpoint.exists() and not paths.result.exists() and not processes(paths.folder)

    killed: list[None] = []

    def kill_one() -> bool:
        if not killed:
            killed.append(processes(paths.folder)[1].kill())
        return False

    with pytest.raises(RunLostError, match=r"^rank 1 was killed by signal 9$"):
        execute(paths.folder, threads=1, ranks=2, stop=after(paths, stopped + 10, kill_one))
    assert not paths.result.exists() and not processes(paths.folder)

    before, saved = paths.checkpoint.read_bytes(), "began with --gpus-per-run 2, not 1; use 2 again, or delete the file"
    with pytest.raises(CheckpointError, match=saved):
        execute(paths.folder, threads=1)
    assert paths.checkpoint.read_bytes() == before

    _lose_launcher(paths)
    assert execute(paths.folder, threads=1, ranks=2) == "finished"
    assert contents(paths) == straight


def _lose_launcher(paths: RunPaths) -> None:
    """SIGKILL to the process that watches over the ranks: they save at the end of their step and leave."""
    reached = steps(paths)
    code = (
        "from pathlib import Path; from stacklab.run.execute import execute\n"
        f"execute(Path({str(paths.folder)!r}), threads=1, ranks=2)"
    )
    with subprocess.Popen([sys.executable, "-c", code]) as launcher:
        wait_until(lambda: steps(paths) >= reached + 10, "the run does not get on")
        launcher.kill()
    wait_until(lambda: not processes(paths.folder), "ranks are left")
    assert not paths.result.exists(), "finished before its launcher was killed: raise the number of steps"
    assert len(read_jsonl(paths.metrics)) == steps(paths), "a whole last line"


def test_a_batch_that_cannot_be_shared_is_refused_before_a_process_starts(bench: Bench) -> None:
    paths = bench.folder(bench.spec(batch_size=4))
    with pytest.raises(SpecError, match=r"gpus-per-run: 3 does not divide train\.batch_size = 4"):
        execute(paths.folder, threads=1, ranks=3)
    assert {path.name for path in paths.folder.iterdir()} == {"spec.json"}


def test_the_first_error_of_a_rank_is_raised_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for rank, error in (("1", DiskError("the disk is full")), ("0", ValueError("another"))):
        monkeypatch.setenv("RANK", rank)
        _report(error, tmp_path)
    with pytest.raises(DiskError, match=r"^the disk is full$"):
        launch._raise_error(tmp_path, 1)
    write_json(tmp_path / "0.json", read_json(tmp_path / "0.json") | {"time": 0.0})
    with pytest.raises(launch.RankError, match=r"^rank 0: ValueError: another") as raised:
        launch._raise_error(tmp_path, 1)
    assert "ValueError: another" in raised.value.__notes__[0]


def test_memory_of_a_card_that_was_exhausted_is_recognised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from stacklab.study.engines.attempt import is_out_of_memory

    monkeypatch.setenv("RANK", "0")
    _report(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."), tmp_path)
    with pytest.raises(RuntimeError) as raised:
        launch._raise_error(tmp_path, 1)
    assert is_out_of_memory(raised.value)


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        ("failed (exitcode: -9) local_rank: 1 (pid: 7) of binary: python", "rank 1 was killed by signal 9"),
        ("failed (exitcode: 1) local_rank: 0 (pid: 7) of binary: python", "rank 0 ended with exit code 1"),
        ("no such module", "torchrun ended with exit code 3"),
    ],
)
def test_how_a_rank_was_lost(tmp_path: Path, log: str, reason: str) -> None:
    (tmp_path / "log").write_text(log)
    with pytest.raises(RunLostError, match=f"^{reason}$"):
        launch._raise_error(tmp_path, 3)


def test_ranks_import_from_where_the_launcher_does(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "path", ["", str(tmp_path)])
    monkeypatch.delenv("NCCL_ALGO", raising=False)
    own = launch._environment(threads=3)
    assert own["PYTHONPATH"] == os.pathsep.join([str(Path.cwd()), str(tmp_path)])
    assert (own["OMP_NUM_THREADS"], own["NCCL_ALGO"], own["PYTHONSAFEPATH"]) == ("3", "Ring", "1")
