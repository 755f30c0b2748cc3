"""The interface of engines: they take run folders and train each run to its end."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

Status = Literal["finished", "diverged", "stopped", "failed"]
Unfinished = Literal["out of memory", "lost"]
"""How an attempt ends that is no end of the run."""
OUT_OF_MEMORY: Literal["out of memory"] = "out of memory"
"""The card has no memory left; the run may succeed alone on a card."""
LOST: Literal["lost"] = "lost"
"""A process of the run was killed."""

EXECUTE = "stacklab.run.execute:execute"
"""The function that trains a run: a dotted path, so that workers import it and the parent need not."""

EXECUTE_TOGETHER = "stacklab.run.execute_replicas:execute_together"
"""The function that trains several runs in one process."""

STOPPED = "stopped; finished runs are kept and the same command resumes"


class Execute(Protocol):
    """Trains one run to its end. Idempotent; resumes from the run's checkpoint; returns how the run ended.

    ranks: with more than one, that many processes train the run, each on one of the cards that this process may use.
    """

    def __call__(self, folder: Path, *, threads: int, stop: Callable[[], bool], ranks: int = 1) -> str: ...


class ExecuteTogether(Protocol):
    """Trains the runs of one group in one process; calls `ended` with (folder, status, reason) as each run ends."""

    def __call__(
        self, folders: Sequence[Path], *, stop: Callable[[], bool], ended: Callable[[Path, str, str], None]
    ) -> None: ...


@dataclass(frozen=True)
class RunEnd:
    """How a run ended. `attempts` is 0 for a run that was already done; `reason` is empty for a finished one."""

    folder: Path
    status: Status
    reason: str = ""
    attempts: int = 1


class Watch(Protocol):
    """Callbacks for the progress of an engine. All calls come from the thread that called `Engine.run`."""

    def started(self, folder: Path, *, attempt: int) -> None:
        """The run was started. `attempt` counts from 1."""

    def lost(self, folder: Path, *, reason: str) -> None:
        """The process ended without a result; the run will be retried."""

    def ended(self, end: RunEnd) -> None:
        """The run ended; it will not be retried in this call."""

    def note(self, text: str) -> None:
        """A line for the user: output of a worker, or what the engine is waiting for."""

    def tick(self) -> None:
        """Called often (several times a second, or once a step); must return soon."""


class Engine(Protocol):
    @property
    def name(self) -> str: ...

    def slots(self, runs: int) -> int:
        """How many runs train at the same time in a study of `runs` runs. Raises UserError for a wrong
        CUDA_VISIBLE_DEVICES."""

    def threads(self, runs: int) -> int:
        """Threads of each run in a study of `runs` runs."""

    def run(self, folders: Sequence[Path], *, watch: Watch, runs: int | None = None) -> list[RunEnd]:
        """Train every run to its end, starting them in the order of `folders`; the ends are returned in that order.

        runs: number of runs of the whole study, which decides the slots and the threads of a run; by default the number
        of folders. It must not depend on how many runs are left, or a resumed run would get a different number of
        threads. A failed run is a RunEnd like any other. Raises Interrupted when the user stops it: the runs are saved
        at a step boundary and a later call resumes them.
        """


class Silent:
    """A Watch that prints nothing."""

    def started(self, folder: Path, *, attempt: int) -> None:
        pass

    def lost(self, folder: Path, *, reason: str) -> None:
        pass

    def ended(self, end: RunEnd) -> None:
        pass

    def note(self, text: str) -> None:
        pass

    def tick(self) -> None:
        pass
