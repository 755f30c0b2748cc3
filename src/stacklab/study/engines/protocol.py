"""What every engine is: it takes run folders and brings each to its end."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

Status = Literal["finished", "diverged", "stopped", "failed"]

EXECUTE = "stacklab.run.execute:execute"
"""What engines call for a run. A dotted path, so that a worker can import it and the parent need not."""

EXECUTE_TOGETHER = "stacklab.run.execute_replicas:execute_together"
"""The same for runs that share a process."""

STOPPED = "stopped; finished runs are kept and the same command resumes"


class Execute(Protocol):
    """Brings one run to its end. Idempotent; resumes from the run's checkpoint; returns how the run ended."""

    def __call__(self, folder: Path, *, threads: int, stop: Callable[[], bool]) -> str: ...


class ExecuteTogether(Protocol):
    """Brings runs of one group to their ends in one process; tells of each how it ended, when it ends."""

    def __call__(
        self, folders: Sequence[Path], *, stop: Callable[[], bool], ended: Callable[[Path, str, str], None]
    ) -> None: ...


@dataclass(frozen=True)
class RunEnd:
    """How a run ended. `attempts` is 0 for a run that was done before; `reason` is empty for a finished one."""

    folder: Path
    status: Status
    reason: str = ""
    attempts: int = 1


class Watch(Protocol):
    """What an engine tells while it works. All calls come from the thread that called `Engine.run`."""

    def started(self, folder: Path, *, attempt: int) -> None:
        """The run has a slot. `attempt` counts from 1."""

    def lost(self, folder: Path, *, reason: str) -> None:
        """Its process is gone without a result; the run will be tried again."""

    def ended(self, end: RunEnd) -> None:
        """Nothing more will be tried for this run in this call."""

    def note(self, text: str) -> None:
        """A line for the user: what a worker printed, or what the engine is waiting for."""

    def tick(self) -> None:
        """Called often (several times a second, or once a step); must return soon."""


class Engine(Protocol):
    @property
    def name(self) -> str: ...

    def slots(self, runs: int) -> int:
        """How many runs train at the same time in a study of so many runs."""

    def threads(self, runs: int) -> int:
        """Threads that each of them gets."""

    def run(self, folders: Sequence[Path], *, watch: Watch, runs: int | None = None) -> list[RunEnd]:
        """Bring every run to its end, started in the order given; the ends come back in the same order.

        runs: the number of runs of the whole study, from which the slots and the threads of a run follow; without it,
        the number of folders. It must not depend on how many runs are left, or a resumed run would get other threads
        than it began with. A run that fails is a RunEnd like any other. Raises Interrupted when the user stopped
        it: runs were saved at a step boundary and a later call resumes them.
        """


class Silent:
    """A Watch that says nothing."""

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
