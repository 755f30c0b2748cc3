"""The progress of a study's runs: the content of the live view, without any drawing."""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stacklab.base.errors import DataError
from stacklab.base.files import read_json
from stacklab.base.text import one_line
from stacklab.base.units import duration
from stacklab.run.paths import RunPaths
from stacklab.study.engines.protocol import RunEnd

TRAINING = "running"


@dataclass(frozen=True)
class RunProgress:
    """The latest progress.json of a run; before there is one, the run is starting."""

    state: str = "starting"
    step: int = 0
    steps: int = 0
    loss: float | None = None
    tokens_per_second: float | None = None
    seconds_left: float | None = None

    def __str__(self) -> str:
        if self.state != TRAINING:
            return self.state
        parts = [f"step {self.step:,}/{self.steps:,}"]
        if self.loss is not None:
            parts.append(f"loss {self.loss:.4f}")
        if self.tokens_per_second is not None:
            parts.append(f"{self.tokens_per_second:,.0f} tokens/s")
        if self.seconds_left is not None:
            parts.append(f"{duration(self.seconds_left)} left")
        return "  ".join(parts)


def read_progress(folder: Path, *, since: float) -> RunProgress | None:
    """The run's progress written after the wall-clock time `since`; None if there is none or it cannot be read."""
    try:
        row = read_json(RunPaths(folder).progress)
        if row["time"] < since:
            return None
        return RunProgress(
            state=str(row["state"]),
            step=int(row["step"]),
            steps=int(row["steps"]),
            loss=_number(row.get("loss")),
            tokens_per_second=_number(row.get("tokens_per_second")),
            seconds_left=_number(row.get("seconds_left")),
        )
    except (DataError, OSError, KeyError, TypeError, ValueError, AttributeError):
        return None


def final_loss(folder: Path) -> tuple[str, float] | None:
    """The held-out split and the loss on it; None for a run without a result."""
    try:
        metrics = read_json(RunPaths(folder).result)["metrics"]
        split = "tuning" if "tuning.loss" in metrics else "validation"
        return split, float(metrics[f"{split}.loss"])
    except (DataError, OSError, KeyError, TypeError, ValueError):
        return None


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


class _Running:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.began, self.began_on_the_clock = time.monotonic(), time.time()
        self.progress = RunProgress()

    def seconds(self) -> float:
        return time.monotonic() - self.began

    def refresh(self) -> None:
        self.progress = read_progress(self.folder, since=self.began_on_the_clock) or self.progress


class Board:
    """The present state of the study's runs."""

    def __init__(self, labels: Mapping[str, tuple[str, int]], *, total: int) -> None:
        self.labels, self.total = labels, total
        self.running: dict[Path, _Running] = {}
        self.ended: dict[Path, RunEnd] = {}
        self._began = time.monotonic()
        self._slots = 1
        self._spent: list[float] = []

    def name(self, folder: Path) -> str:
        arm, seed = self.labels[folder.name]
        return f"{one_line(arm)} seed {seed}"

    def start(self, folder: Path) -> None:
        self.running[folder] = _Running(folder)
        self._slots = max(self._slots, len(self.running))

    def leave(self, folder: Path) -> float:
        """The run's process ended; returns the seconds it took."""
        run = self.running.pop(folder, None)
        return run.seconds() if run else 0.0

    def end(self, end: RunEnd) -> float:
        seconds = self.leave(end.folder)
        self.ended[end.folder] = end
        if end.status == "finished" and end.attempts == 1:
            self._spent.append(seconds)
        return seconds

    def over(self) -> int:
        """Number of runs that need no more work; stopped runs still do."""
        return sum(end.status != "stopped" for end in self.ended.values())

    def refresh(self) -> None:
        for run in self.running.values():
            run.refresh()

    def seconds_left(self) -> float | None:
        """Seconds until all runs are done, if waiting runs take as long as those seen; None before any is known.

        The most expensive runs start first, so this is an overestimate rather than an underestimate.
        """
        running = [(run.seconds(), run.progress.seconds_left) for run in self.running.values()]
        known = self._spent + [seconds + left for seconds, left in running if left is not None]
        if not known:
            return None
        usual = sum(known) / len(known)
        now = [max(0.0, usual - seconds) if left is None else left for seconds, left in running]
        waiting = self.total - len(self.running) - len(self.ended)
        return max([*now, (sum(now) + waiting * usual) / self._slots])

    def summary(self) -> str:
        """'3 done, 1 failed, 8 left, 2 min 05 s so far, up to 5 min 00 s to go'"""
        counts = Counter(end.status for end in self.ended.values())
        left = self.total - len(self.ended)
        parts = [f"{counts['finished']} done"]
        parts += [f"{counts[status]} {status}" for status in ("diverged", "failed", "stopped") if counts[status]]
        parts += [f"{left} left", f"{duration(time.monotonic() - self._began)} so far"]
        seconds = self.seconds_left()
        if left and seconds is not None:
            parts.append(f"up to {duration(seconds)} to go")
        return ", ".join(parts)
