"""What the tests of engines share."""

from dataclasses import dataclass, field
from pathlib import Path

from stacklab.study.engines.processes import ProcessesEngine
from stacklab.study.engines.protocol import RunEnd

TARGET = "fake_runs:execute"


@dataclass
class Notes:
    """A Watch that keeps what it is told."""

    begun: list[tuple[str, int]] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    ends: list[RunEnd] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    ticks: int = 0

    def started(self, folder: Path, *, attempt: int) -> None:
        self.begun.append((folder.name, attempt))

    def lost(self, folder: Path, *, reason: str) -> None:
        self.gone.append(f"{folder.name}: {reason}")

    def ended(self, end: RunEnd) -> None:
        self.ends.append(end)

    def note(self, text: str) -> None:
        self.notes.append(text)

    def tick(self) -> None:
        self.ticks += 1


def processes(workers: int) -> ProcessesEngine:
    return ProcessesEngine(workers=workers, target=TARGET, preload=())
