"""Writes a run's rows, its live progress and its best weights; cuts all of them back to the checkpoint on resume."""

import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from stacklab.base.canon import canonical_json
from stacklab.base.files import append_line, read_jsonl, write_json, write_text
from stacklab.run.paths import RunPaths

PROGRESS_SECONDS = 0.7


class FolderRecorder:
    """The loop's Recorder over a run folder. `start` is the number of steps already done.

    patience: seconds between two writes of the live progress.
    """

    def __init__(self, paths: RunPaths, *, steps: int, start: int) -> None:
        self.patience = PROGRESS_SECONDS
        self.paths, self.steps = paths, steps
        self.train_seconds = sum(row["seconds"] for row in cut_rows(paths, start))
        self.evals = read_jsonl(paths.evals) if paths.evals.exists() else []
        self._resumed_at, self._began, self._written = start, time.monotonic(), 0.0
        self.tokens = 0

    def record_step(self, row: dict[str, Any]) -> None:
        append_line(self.paths.metrics, canonical_json(row))

    def record_evaluation(self, row: dict[str, Any]) -> None:
        append_line(self.paths.evals, canonical_json(row))
        self.evals.append(row)

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


def cut_rows(paths: RunPaths, start: int) -> list[dict[str, Any]]:
    """Drop the rows that a killed run wrote after its last checkpoint; returns the remaining timing rows.

    A training row of step s is known at the checkpoint after s steps; an evaluation at step s is made after it.
    """
    for path, last in ((paths.metrics, start), (paths.evals, start - 1), (paths.timing_rows, start)):
        rows = [row for row in read_jsonl(path) if row["step"] <= last] if path.exists() else []
        encode = json.dumps if path == paths.timing_rows else canonical_json
        write_text(path, "".join(encode(row) + "\n" for row in rows))
    return read_jsonl(paths.timing_rows)
