import json
import random
import shutil
import signal
import subprocess
import sys
import time
from typing import Any

import pytest
from tests.run.conftest import Bench

from stacklab.base.errors import CheckpointError
from stacklab.base.files import read_json, read_jsonl
from stacklab.model.positions.kinds import FactoredPositions
from stacklab.model.spec import NormSpec
from stacklab.run.execute import execute
from stacklab.run.metrics import RESULTS
from stacklab.run.paths import RunPaths
from stacklab.run.store import weights_of
from stacklab.run.verify import alteration, file_hash

REPRODUCED = ("metrics.jsonl", "evals.jsonl", "result.json", "samples.json", "model.safetensors")


def contents(paths: RunPaths) -> dict[str, bytes]:
    return {name: (paths.folder / name).read_bytes() for name in REPRODUCED}


def executed(bench: Bench, paths: RunPaths) -> dict[str, bytes]:
    assert execute(paths.folder, threads=1) == "finished"
    return contents(paths)


def test_a_run_leaves_the_files_that_paths_names(bench: Bench) -> None:
    paths = bench.folder(bench.spec())
    executed(bench, paths)
    names = {path.name for path in paths.folder.iterdir() if not path.name.startswith(".")}
    assert names == {
        *REPRODUCED,
        "spec.json",
        "provenance.json",
        "timing.jsonl",
        "timing.json",
        "progress.json",
    }
    assert read_json(paths.progress)["state"] == "finished"
    assert alteration(paths, read_json(paths.result)) == ""
    assert read_json(paths.result)["hashes"]["metrics"] == file_hash(paths.metrics)
    assert [row["step"] for row in read_jsonl(paths.metrics)] == list(range(1, 11))
    assert [row["step"] for row in read_jsonl(paths.evals)] == [0, 5, 10]
    metrics = read_json(paths.result)["metrics"]
    over_text = {row.name for row in RESULTS if row.over != "task"} - {"steps_to_solve", "accuracy.hops_{n}"}
    assert {name for name in metrics if "hops" not in name} == over_text, "as claims may name"
    assert metrics["validation.best_loss"] == min(row["validation.loss"] for row in read_jsonl(paths.evals))
    samples = read_json(paths.samples)
    assert samples["before"][0]["prompt"] == samples["after"][0]["prompt"] == "The"
    facts = read_json(paths.provenance)
    assert facts["threads"] == 1
    assert facts["data"]["fingerprint"] == bench.prepared.fingerprint


@pytest.mark.parametrize(
    "model",
    [
        {"num_layers": 0},
        {
            "d_ff": 0,
            "norm": NormSpec(placement="none"),
            "position": FactoredPositions(period=4),
            "token_table": "frozen",
            "tie_embeddings": False,
            "attention_identity": 0.2,
        },
    ],
    ids=["no layers", "attention only"],
)
def test_a_small_stack_runs_to_its_end_and_goes_on_from_a_checkpoint(bench: Bench, model: dict[str, Any]) -> None:
    paths = bench.folder(bench.spec(model=model))
    whole = executed(bench, paths)
    shutil.rmtree(paths.folder)
    bench.folder(bench.spec(model=model))
    steps = iter(range(100))
    assert execute(paths.folder, threads=1, stop=lambda: next(steps) == 6) == "stopped"
    assert executed(bench, paths) == whole


def test_a_finished_run_is_not_touched_again(bench: Bench) -> None:
    paths = bench.folder(bench.spec())
    executed(bench, paths)
    before = {path: path.stat().st_mtime_ns for path in paths.folder.iterdir() if not path.name.startswith(".")}
    executed(bench, paths)
    assert before == {path: path.stat().st_mtime_ns for path in before}


@pytest.mark.parametrize("sequences", ["blocks", "windows"])
def test_a_stop_at_any_step_and_a_resume_change_no_byte(bench: Bench, sequences: str) -> None:
    bench.data = bench.data.model_copy(update={"sequences": sequences})
    paths = bench.folder(bench.spec())
    straight = executed(bench, paths)
    for stop_after in range(1, 10):
        shutil.rmtree(paths.folder)
        bench.folder(bench.spec())
        calls = iter(range(1, 100))
        stopped = execute(paths.folder, threads=1, stop=lambda calls=calls, n=stop_after: next(calls) >= n)
        assert stopped == "stopped"
        assert not paths.result.exists()
        assert executed(bench, paths) == straight


@pytest.mark.trains
def test_kills_at_random_points_change_no_byte(bench: Bench) -> None:
    """SIGKILL while steps are being taken, several times over, then to the end: every byte as in a straight run."""
    spec = bench.spec(steps=60, checkpoint_every=7)
    straight = executed(bench, bench.folder(spec))
    paths = bench.folder(spec)
    shutil.rmtree(paths.folder)
    bench.folder(spec)
    code = (
        "from pathlib import Path; from stacklab.run.execute import execute\n"
        f"execute(Path({str(paths.folder)!r}), threads=1)"
    )
    chance, reached = random.Random(time.time_ns()), 0
    for _ in range(3):
        target = reached + chance.randint(3, 15)
        with subprocess.Popen([sys.executable, "-c", code]) as process:
            while process.poll() is None and _rows(paths) < target:
                time.sleep(0.0005)
            process.send_signal(signal.SIGKILL)
        reached = _rows(paths)
        assert not paths.result.exists(), "finished before it was killed: raise the number of steps"
    assert reached >= 9
    assert executed(bench, paths) == straight


def _rows(paths: RunPaths) -> int:
    return paths.metrics.read_bytes().count(b"\n") if paths.metrics.exists() else 0


def test_arms_of_different_depth_and_width_see_identical_batches(bench: Bench) -> None:
    shapes = [{"num_layers": 1}, {"num_layers": 3}, {"d_model": 16, "num_heads": 4}]
    runs = [bench.folder(bench.spec(model=shape)) for shape in shapes]
    orders = []
    for paths in runs:
        executed(bench, paths)
        orders.append([row["batch"] for row in read_jsonl(paths.metrics)])
    assert orders[0] == orders[1] == orders[2]
    assert len({read_json(paths.result)["batches"] for paths in runs}) == 1
    other = bench.folder(bench.spec(seed=2))
    executed(bench, other)
    assert not set(orders[0]) & {row["batch"] for row in read_jsonl(other.metrics)}


def test_a_diverged_run_is_an_outcome_with_its_curve(bench: Bench) -> None:
    spec = bench.spec(optimizer={"learning_rate": 1e15, "clip_norm": None}, schedule={"warmup_steps": 0})
    paths = bench.folder(spec)
    assert execute(paths.folder, threads=1) == "diverged"
    result = read_json(paths.result)
    assert result["metrics"] == {}
    assert "at step" in result["reason"]


def test_a_truncated_checkpoint_is_an_error_that_loses_nothing(bench: Bench) -> None:
    paths = bench.folder(bench.spec())
    execute(paths.folder, threads=1, stop=lambda: True)
    whole = paths.checkpoint.read_bytes()
    paths.checkpoint.write_bytes(whole[: len(whole) // 2])
    rows = paths.metrics.read_bytes()
    with pytest.raises(CheckpointError, match="not a complete checkpoint"):
        execute(paths.folder, threads=1)
    assert paths.metrics.read_bytes() == rows


LOGS = ("metrics.jsonl", "evals.jsonl", "timing.jsonl")


def stopped_at(bench: Bench, steps: int, **spec: Any) -> RunPaths:
    """A run that was stopped after some steps, with a checkpoint."""
    paths, calls = bench.folder(bench.spec(**spec)), iter(range(1, 100))
    assert execute(paths.folder, threads=1, stop=lambda: next(calls) >= steps) == "stopped"
    return paths


def refused(paths: RunPaths, message: str) -> None:
    """It cannot go on, and what it has stays as it is."""
    before = {path: path.read_bytes() for path in paths.folder.glob("*.*")}
    before = {path: text for path, text in before.items() if path.suffix in (".jsonl", ".safetensors")}
    with pytest.raises(CheckpointError, match=message + ".*; delete the folder of its run, and `stacklab run` trains"):
        execute(paths.folder, threads=1)
    assert before == {path: path.read_bytes() for path in before} and not paths.result.exists()


@pytest.mark.parametrize("name", LOGS)
def test_rows_missing_before_the_checkpoint_are_an_error(bench: Bench, name: str) -> None:
    """At the end, at the beginning, and all of them; the log is named."""
    log = stopped_at(bench, 7).folder / name
    lines = log.read_bytes().splitlines(keepends=True)
    for kept, message in (
        (lines[:-1], "lacks the row of step"),
        (lines[1:], "1: not the row of step"),
        ([], "lacks"),
        ([*lines[:-1], lines[-1][:-1]], "lacks the row of step"),
        ([b"[]\n", *lines[1:]], "1: not the row of step"),
        ([b"\xff{\n", *lines[1:]], "1: not a JSON line"),
    ):
        log.write_bytes(b"".join(kept))
        refused(RunPaths(log.parent), rf"{name}:? ?{message}")
    log.unlink()
    refused(RunPaths(log.parent), f"{name}: lacks the row of step")


@pytest.mark.parametrize("name", LOGS[:2])
def test_a_digit_edited_before_the_checkpoint_is_an_error(bench: Bench, name: str) -> None:
    paths = stopped_at(bench, 7)
    log = paths.folder / name
    rows = read_jsonl(log)
    rows[0] = rows[0] | {key: 1.5 for key, value in rows[0].items() if isinstance(value, float)}
    log.write_text("".join(json.dumps(row) + "\n" for row in rows))
    refused(paths, f"{name}: edited since the checkpoint of step 7 was written")


def test_whatever_stands_behind_the_checkpoint_is_dropped(bench: Bench) -> None:
    """As a kill or a power cut leaves it."""
    straight = executed(bench, bench.folder(bench.spec(seed=3)))
    shutil.rmtree(bench.folder(bench.spec(seed=3)).folder)
    paths = stopped_at(bench, 7, seed=3)
    for name in LOGS:
        with (paths.folder / name).open("ab") as log:
            log.write(bytes(100) + b'\n[]\n{"step": 8, "loss": 1')
    assert executed(bench, paths) == straight


def test_a_log_edited_while_the_run_trains_is_an_error(bench: Bench) -> None:
    paths = bench.folder(bench.spec())

    def edit() -> bool:
        paths.evals.write_text(paths.evals.read_text().replace("0", "1"))
        return False

    with pytest.raises(CheckpointError, match=r"evals\.jsonl: edited while the run trained; delete the folder"):
        execute(paths.folder, threads=1, stop=edit)
    assert not paths.result.exists()


def test_final_weights_of_another_run_are_refused_and_noticed(bench: Bench) -> None:
    one, other = (bench.folder(bench.spec(seed=seed)) for seed in (1, 2))
    for paths in (one, other):
        executed(bench, paths)
    other.weights.write_bytes(one.weights.read_bytes())
    with pytest.raises(CheckpointError, match=f"has the weights of run {one.run_id}, not of {other.run_id}"):
        weights_of(other, "last")
    assert alteration(other, read_json(other.result)) == "model.safetensors holds other weights than the run saved"
    other.weights.unlink()
    assert alteration(other, read_json(other.result)) == "", "they may be deleted to save space"


def test_a_spec_that_is_not_the_folders_is_refused(bench: Bench) -> None:
    paths = bench.folder(bench.spec())
    tree = json.loads(paths.spec.read_text())
    tree["seed"] = 9
    paths.spec.write_text(json.dumps(tree))
    with pytest.raises(CheckpointError, match="is the spec of run"):
        execute(paths.folder, threads=1)


def test_every_part_of_a_spec_is_part_of_its_identity(bench: Bench) -> None:
    tree = bench.spec().dump()
    changed = [tree | {"seed": 2}, tree | {"data_fingerprint": "0" * 16}]
    for section, change in {
        "train": {"steps": 11},
        "model": {"dropout": 0.2},
        "evaluate": {"every": 6},
        "sample": {"tokens": 6},
        "data": {"split_seed": 1},
    }.items():
        changed.append(tree | {section: tree[section] | change})
    ids = {type(bench.spec()).model_validate(one).run_id for one in changed}
    assert len(ids | {bench.spec().run_id}) == 8


def test_a_run_held_by_another_process_is_left_when_told_to_stop(bench: Bench) -> None:
    paths = bench.folder(bench.spec())
    code = (
        "import sys; from pathlib import Path; from stacklab.base.locks import exclusive\n"
        f"with exclusive(Path({str(paths.folder)!r}), what='x'): print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        calls = iter([False, False])
        assert execute(paths.folder, threads=1, stop=lambda: next(calls, True)) == "stopped"
        other.kill()
    assert not paths.metrics.exists()


def test_the_peak_is_of_this_process_and_not_of_the_one_that_started_it() -> None:
    ballast = b"x" * 2**30
    script = "import torch; from stacklab.run.execute import peak_memory; print(peak_memory(torch.device('cpu')))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert 2**25 < int(done.stdout) < len(ballast)
