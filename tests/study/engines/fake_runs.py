"""Stands in for stacklab.run.execute: a run that counts steps, checkpoints, and misbehaves as its plan.json says."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from stacklab.base.errors import DataError, RunLostError

SEEN = ("OMP_WAIT_POLICY", "OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "MALLOC_MMAP_MAX_")


class OutOfMemoryError(RuntimeError):
    """Named as torch's."""


def make_run(folder: Path, *, steps: int = 3, **plan: object) -> Path:
    folder.mkdir(parents=True)
    (folder / "plan.json").write_text(json.dumps({"steps": steps, **plan}))
    return folder


def execute(folder: Path, *, threads: int, stop: Callable[[], bool], ranks: int = 1) -> str:
    plan = json.loads((folder / "plan.json").read_text())
    began = time.monotonic()
    environment = {name: os.environ.get(name) for name in SEEN}
    _append(folder, "seen.jsonl", {"threads": threads, "ranks": ranks, "pid": os.getpid(), **environment})
    try:
        return _execute(folder, plan, stop)
    finally:
        _append(folder, "spans.jsonl", [began, time.monotonic()])


def _execute(folder: Path, plan: dict[str, Any], stop: Callable[[], bool]) -> str:
    if card := plan.get("card"):
        # In a worker only: this process ends with the run.
        properties = SimpleNamespace(name=card, total_memory=8 * 2**30)
        sys.modules["torch"] = SimpleNamespace(  # type: ignore[assignment]
            cuda=SimpleNamespace(get_device_properties=lambda index: properties)
        )
    if len(seen(folder)) <= plan.get("out_of_memory", 0):
        time.sleep(plan.get("seconds", 0))
        raise OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
    if len(seen(folder)) <= plan.get("loses_rank", 0):
        raise RunLostError("rank 1 was killed by signal 9")
    match plan.get("error"):
        case "user":
            raise DataError("corpus.txt:3: is empty")
        case "bug":
            raise ValueError("a bug\nof ours")
        case "exit":
            raise SystemExit(4)
    for _ in range(100 if plan.get("says") else 0):
        print(plan["says"])
    checkpoint = folder / "checkpoint"
    start = int(checkpoint.read_text()) if checkpoint.exists() else 0
    for step in range(start, plan["steps"]):
        time.sleep(plan.get("seconds", 0))
        done = step + 1
        _append(folder, "steps.jsonl", done)
        if stop() and done < plan["steps"]:
            checkpoint.write_text(str(done))
            (folder / "saved_at").write_text(str(done))
            return "stopped"
        checkpoint.write_text(str(done))
        if done == len(seen(folder)):
            _harm(plan, attempt=done)
    status = plan.get("status", "finished")
    reason = "the loss became nan" if status == "diverged" else ""
    (folder / "result.json").write_text(json.dumps({"status": status, "reason": reason}))
    return str(status)


def execute_together(
    folders: Sequence[Path], *, stop: Callable[[], bool], ended: Callable[[Path, str, str], None]
) -> None:
    """One after the other; the harm of one meets all that are not over yet."""
    for folder in folders:
        ended(folder, execute(folder, threads=1, stop=stop), "")


def _harm(plan: dict[str, Any], *, attempt: int) -> None:
    """What happens in attempt n, after step n: so a run that resumes meets each attempt's harm once."""
    if attempt <= plan.get("kills", 0):
        os.kill(os.getpid(), signal.SIGKILL)
    if attempt == 1 and plan.get("terminates"):
        os.kill(os.getpid(), signal.SIGTERM)
    if attempt == 1 and plan.get("kills_parent"):
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(0.2)
    if plan.get("hangs_up"):
        os.kill(os.getpid(), signal.SIGHUP)


def seen(folder: Path) -> list[dict[str, Any]]:
    """What each attempt at the run found, in order."""
    return _rows(folder / "seen.jsonl")


def spans(folder: Path) -> list[tuple[float, float]]:
    """Start and end of each attempt, on a clock that all processes share."""
    return [(began, ended) for began, ended in _rows(folder / "spans.jsonl")]


def steps(folder: Path) -> list[int]:
    return _rows(folder / "steps.jsonl")


def _rows(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _append(folder: Path, name: str, value: object) -> None:
    with (folder / name).open("a") as handle:
        handle.write(json.dumps(value) + "\n")
