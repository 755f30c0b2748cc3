"""What the tests of engines share."""

import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.study.engines.fake_runs import steps

from stacklab.study.engines.processes import ProcessesEngine
from stacklab.study.engines.protocol import RunEnd

TARGET = "fake_runs:execute"
DRIVE = Path(__file__).with_name("drive.py")


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


def drive(*arguments: object) -> subprocess.Popen[str]:
    """A study in a process group of its own, as a shell starts it."""
    command = [sys.executable, str(DRIVE), *map(str, arguments)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit code and everything written; ends only when nobody holds the output any more."""
    output, _ = process.communicate(timeout=30)
    return process.returncode, output


def wait_for_steps(folder: Path, count: int) -> None:
    until = time.monotonic() + 30
    while len(steps(folder)) < count:
        assert time.monotonic() < until, f"{folder} does not get on: {steps(folder)}"
        time.sleep(0.02)
