import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from tests.run.stacks import SEEDS, contents, together, trained
from tests.run.tasks import make_runs, task_spec

from stacklab.base.files import read_json, read_jsonl
from stacklab.run.execute import execute
from stacklab.run.paths import RunPaths
from stacklab.study.results.collect import run_row


def test_each_curve_is_that_of_the_run_alone(tmp_path: Path) -> None:
    """Same batches, same initial weights; losses within 1e-5 of those of the ordinary run, over 200 steps."""
    specs = [
        task_spec(seed=seed, steps=200, optimizer={"learning_rate": rate, "weight_decay": decay, "clip_norm": clip})
        for seed, rate, decay, clip in ((1, 1e-3, 0.1, 1.0), (2, 3e-3, 0.0, 0.1), (2, 1e-3, 0.1, None))
    ]
    alone, stacked = make_runs(tmp_path / "alone", specs), make_runs(tmp_path / "stacked", specs)
    for paths in alone:
        assert execute(paths.folder, threads=1) == "finished"
    assert set(together(stacked).values()) == {"finished"}
    for one, other in zip(alone, stacked, strict=True):
        own, others = read_jsonl(one.metrics), read_jsonl(other.metrics)
        for exact in ("step", "batch", "learning_rate"):
            assert [row[exact] for row in own] == [row[exact] for row in others]
        for near in ("loss", "norm"):
            np.testing.assert_allclose([row[near] for row in others], [row[near] for row in own], rtol=1e-5)
        for row, wanted in zip(read_jsonl(other.evals), read_jsonl(one.evals), strict=True):
            assert row == pytest.approx(wanted, rel=1e-5)
        assert {path.name for path in one.folder.iterdir()} == {path.name for path in other.folder.iterdir()}
        assert read_json(one.result)["batches"] == read_json(other.result)["batches"]
        assert read_json(other.provenance)["threads"] == 1


def test_a_replica_whose_rows_or_checkpoint_are_damaged_fails_alone(tmp_path: Path) -> None:
    whole, runs = trained(tmp_path / "whole", SEEDS), make_runs(tmp_path / "runs", SEEDS)
    calls = iter(range(100))
    assert set(together(runs, stop=lambda: next(calls) >= 10).values()) == {"stopped"}
    runs[0].metrics.write_bytes(runs[0].metrics.read_bytes().split(b"\n", 1)[1])
    damaged = bytearray(runs[1].checkpoint.read_bytes())
    damaged[-5] ^= 4
    runs[1].checkpoint.write_bytes(damaged)
    assert list(together(runs).values()) == ["failed", "failed", "finished"]
    assert contents(runs[2:]) == whole[2:]


def test_company_changes_no_byte(tmp_path: Path) -> None:
    whole = trained(tmp_path / "three", SEEDS)
    assert trained(tmp_path / "two", SEEDS[1:]) == whole[1:]
    assert trained(tmp_path / "one", SEEDS[:1]) == whole[:1]


def test_a_replica_that_diverges_leaves_the_others_as_they_were(tmp_path: Path) -> None:
    bad = task_spec(seed=9, optimizer={"learning_rate": 1e15, "clip_norm": None}, schedule={"warmup_steps": 0})
    runs = make_runs(tmp_path / "four", [SEEDS[0], bad, *SEEDS[1:]])
    statuses = together(runs)
    assert [statuses[paths.run_id] for paths in runs] == ["finished", "diverged", "finished", "finished"]
    assert contents([runs[0], *runs[2:]]) == trained(tmp_path / "three", SEEDS)
    assert "at step" in read_json(runs[1].result)["reason"]
    row = run_row("arm", 9, runs[1])
    assert row.status == "diverged" and row.metrics == {}


def test_a_solved_replica_stops_and_the_others_go_on(tmp_path: Path) -> None:
    solved = task_spec(seed=9, stop={"metric": "validation.accuracy", "at_least": 0.0, "evaluations": 2})
    runs = make_runs(tmp_path / "four", [*SEEDS, solved])
    assert set(together(runs).values()) == {"finished"}
    assert [read_json(paths.result)["step"] for paths in runs] == [20, 20, 20, 5]
    assert read_json(runs[3].result)["metrics"]["steps_to_solve"] == 0
    assert contents(runs[:3]) == trained(tmp_path / "three", SEEDS)


def test_runs_are_whole_and_can_be_collected(tmp_path: Path) -> None:
    runs = make_runs(tmp_path, SEEDS)
    together(runs)
    for seed, paths in enumerate(runs, start=1):
        row = run_row("arm", seed, paths)
        assert row.status == "finished" and row.step == 20
        assert row.timing["median_step_seconds"] and row.timing["tokens_per_second"]
        assert 0 <= row.metrics["validation.accuracy"] <= 1
        assert not paths.checkpoint.exists()
        assert read_json(paths.progress)["state"] == "finished"


def test_a_stop_after_any_step_and_a_resume_change_no_byte(tmp_path: Path) -> None:
    specs = [*SEEDS[:2], task_spec(seed=9, steps=8)]
    whole = trained(tmp_path / "whole", specs)
    for last in (1, 5, 7, 8, 12):
        root = tmp_path / f"{last}"
        runs = make_runs(root, specs)
        steps = iter(range(1, 100))
        statuses = together(runs, stop=lambda steps=steps, last=last: next(steps) >= last)
        assert statuses[runs[0].run_id] == "stopped" and not runs[0].result.exists()
        # Resumed at different steps: one has to start from nothing again.
        runs[1].checkpoint.unlink()
        together(runs)
        assert contents(runs) == whole
        shutil.rmtree(root)


def test_runs_go_on_with_the_ordinary_engine_and_back(tmp_path: Path) -> None:
    (paths,) = make_runs(tmp_path, SEEDS[:1])
    for last, one in ((4, True), (5, False), (6, True)):
        steps = iter(range(1, 100))
        stop = lambda steps=steps, last=last: next(steps) >= last  # noqa: E731
        status = together([paths], stop=stop)[paths.run_id] if one else execute(paths.folder, threads=1, stop=stop)
        assert status == "stopped"
    assert together([paths]) == {paths.run_id: "finished"}
    assert [row["step"] for row in read_jsonl(paths.metrics)] == list(range(1, 21))


def test_one_that_cannot_be_read_costs_the_others_nothing(tmp_path: Path) -> None:
    runs = make_runs(tmp_path / "three", SEEDS)
    runs[1].checkpoint.write_bytes(b"torn")
    statuses = together(runs)
    assert [statuses[paths.run_id] for paths in runs] == ["finished", "failed", "finished"]
    assert together(runs[:1]) == {runs[0].run_id: "finished"}


@pytest.mark.trains
def test_kills_at_random_points_change_no_byte(tmp_path: Path) -> None:
    specs = [task_spec(seed=seed, steps=60, checkpoint_every=7 + seed) for seed in (1, 2)]
    straight = trained(tmp_path / "straight", specs)
    runs = make_runs(tmp_path / "killed", specs)
    code = (
        "from pathlib import Path; from stacklab.run.execute_replicas import execute_together\n"
        f"folders = [Path(name) for name in {[str(paths.folder) for paths in runs]!r}]\n"
        "execute_together(folders, stop=lambda: False, ended=lambda *_: None)"
    )
    chance, reached = random.Random(time.time_ns()), 0
    for _ in range(3):
        target = reached + chance.randint(3, 15)
        with subprocess.Popen([sys.executable, "-c", code]) as process:
            while process.poll() is None and _rows(runs[0]) < target:
                time.sleep(0.0005)
            process.send_signal(signal.SIGKILL)
        reached = _rows(runs[0])
        assert not runs[0].result.exists(), "finished before it was killed: raise the number of steps"
    assert reached >= 9
    together(runs)
    assert contents(runs) == straight


def _rows(paths: RunPaths) -> int:
    return paths.metrics.read_bytes().count(b"\n") if paths.metrics.exists() else 0
