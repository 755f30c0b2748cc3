"""Writes a run's rows, its live progress and its best weights; cuts all of them back to the checkpoint on resume."""

import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from stacklab.base.canon import canonical_json, short_hash
from stacklab.base.errors import CheckpointError
from stacklab.base.files import append_line, read_bytes, write_json, write_text
from stacklab.run.paths import RunPaths
from stacklab.run.verify import logged
from stacklab.train.checkpoint import RETRAIN

PROGRESS_SECONDS = 0.7


class FolderRecorder:
    """The loop's Recorder over a run folder. `start` is the number of steps already done.

    every: steps between two evaluations. held: the hashes of the logs in the checkpoint, none of an earlier version.
    patience: seconds between two writes of the live progress. Raises CheckpointError for logs that the checkpoint does
    not fit.
    """

    def __init__(self, paths: RunPaths, *, steps: int, start: int, every: int, held: Mapping[str, str]) -> None:
        self.patience = PROGRESS_SECONDS
        self.paths, self.steps = paths, steps
        kept = cut_rows(paths, start, every=every, held=held)
        self.train_seconds = sum(row["seconds"] for row in logged(paths.timing_rows, "seconds", "tokens"))
        self.evals = kept[paths.evals]
        self._digests = {path: hashlib.sha256(read_bytes(path)) for path in (paths.metrics, paths.evals)}
        self._resumed_at, self._began, self._written = start, time.monotonic(), 0.0
        self.tokens = 0

    def record_step(self, row: dict[str, Any]) -> None:
        self._append(self.paths.metrics, row)

    def record_evaluation(self, row: dict[str, Any]) -> None:
        self._append(self.paths.evals, row)
        self.evals.append(row)

    def hashes(self) -> dict[str, str]:
        """Log -> hash of what was written to it."""
        return {path.stem: short_hash(digest) for path, digest in self._digests.items()}

    def _append(self, path: Path, row: dict[str, Any]) -> None:
        text = canonical_json(row)
        append_line(path, text)
        self._digests[path].update(text.encode() + b"\n")

    def record_time(self, step: int, *, seconds: float, tokens: int, loss: float) -> None:
        self.train_seconds += seconds
        self.tokens += tokens
        append_line(self.paths.timing_rows, json.dumps({"step": step, "seconds": seconds, "tokens": tokens}))
        now = time.monotonic()
        if now - self._written < self.patience and step < self.steps:
            return
        self._written = now
        elapsed = now - self._began
        self._progress(
            state="running",
            step=step,
            loss=loss,
            tokens_per_second=self.tokens / elapsed,
            seconds_left=elapsed / (step - self._resumed_at) * (self.steps - step),
        )

    def state(self, state: str, *, step: int) -> None:
        """Write the state of the run outside the loop: preparing, answering, finished ..."""
        self._progress(state=state, step=step)

    def _progress(self, **values: Any) -> None:
        write_json(self.paths.progress, {"steps": self.steps, "pid": os.getpid(), "time": time.time(), **values})


class BestWeights:
    """The weights of the best evaluation so far, in a file named after its step.

    The file of an earlier evaluation is deleted only once no resume can begin before the new one, so that a run that is
    killed at any time resumes with the best weights of the evaluations that it has. start: the steps already done.
    """

    def __init__(self, paths: RunPaths, *, start: int) -> None:
        self._paths, self._resumes_at = paths, start
        self._drop(lambda step: step >= start)

    def evaluated(self, losses: Sequence[float], *, step: int, save: Callable[[Path], None]) -> None:
        """Save the weights if the last loss, that after `step`, is lower than all before it."""
        if all(losses[-1] < loss for loss in losses[:-1]):
            save(self._paths.best(step))
            self._drop(lambda other: self._resumes_at <= other < step)

    def saved(self, step: int) -> None:
        """A checkpoint after `step` steps was written, or the run has ended there."""
        self._resumes_at = step
        last = max(self._paths.bests, default=0)
        self._drop(lambda other: other < last)

    def _drop(self, which: Callable[[int], bool]) -> None:
        for step, path in self._paths.bests.items():
            if which(step):
                path.unlink(missing_ok=True)


def cut_rows(paths: RunPaths, start: int, *, every: int, held: Mapping[str, str]) -> dict[Path, list[dict[str, Any]]]:
    """Drop what a killed run wrote after its checkpoint at step `start`, whatever it is; returns the remaining rows of
    each log. every, held: see FolderRecorder.

    A training row of step s is known at the checkpoint after s steps; an evaluation at step s is made after it. Raises
    CheckpointError, and leaves the files as they are, where a row before the checkpoint is missing or was edited.
    """
    steps = range(1, start + 1)
    expected = {paths.metrics: steps, paths.evals: range(0, start, every), paths.timing_rows: steps}
    kept = {path: _first_lines(path, steps) for path, steps in expected.items()}
    for path, (text, _) in kept.items():
        if held.get(path.stem, hash := short_hash(hashlib.sha256(text))) != hash:
            raise CheckpointError(f"{path}: edited since the checkpoint of step {start} was written; {RETRAIN}")
    for path, (text, _) in kept.items():
        write_text(path, text.decode())
    return {path: rows for path, (_, rows) in kept.items()}


def _first_lines(path: Path, steps: Sequence[int]) -> tuple[bytes, list[dict[str, Any]]]:
    """The first lines of a log, which are the rows of these steps; text and rows."""
    lines = read_bytes(path).split(b"\n")[:-1] if path.exists() else []
    rows = []
    for number, (step, line) in enumerate(zip(steps, lines, strict=False), start=1):
        try:
            row = json.loads(line.decode())
        except (ValueError, RecursionError) as error:
            raise CheckpointError(f"{path}:{number}: not a JSON line; {RETRAIN}") from error
        if not isinstance(row, dict) or row.get("step") != step:
            raise CheckpointError(f"{path}:{number}: not the row of step {step}; {RETRAIN}")
        rows.append(row)
    if len(rows) < len(steps):
        raise CheckpointError(
            f"{path}: lacks the row of step {steps[len(rows)]}, which the checkpoint comes after; {RETRAIN}"
        )
    return b"".join(line + b"\n" for line in lines[: len(rows)]), rows
