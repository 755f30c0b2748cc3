"""Many runs at once, each in a process of its own: whatever kills one costs that one only."""

import signal
from collections import Counter, deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from stacklab.base.errors import Interrupted
from stacklab.study.engines.attempt import already_done, record_failure
from stacklab.study.engines.connection import Connection
from stacklab.study.engines.machine import default_workers, gpus, threads_each
from stacklab.study.engines.protocol import EXECUTE, STOPPED, RunEnd, Status, Watch
from stacklab.study.engines.signals import Interruption

ATTEMPTS = 3
LOOK_SECONDS = 0.2
# The first optimizer step imports torch._dynamo, which takes as long as torch itself.
PRELOAD = ("torch", "torch._dynamo")


class ProcessesEngine:
    name = "processes"

    def __init__(self, *, workers: int | None = None, target: str = EXECUTE, preload: Sequence[str] = PRELOAD) -> None:
        self._workers = workers
        self._target = target
        self._preload = preload

    def run(self, folders: Sequence[Path], *, watch: Watch) -> list[RunEnd]:
        """As in Engine.run. The first Ctrl-C lets every worker finish its step and save, a second one kills them."""
        workers = self._workers or default_workers(len(folders))
        try:
            with Interruption(patience=2) as interruption:
                session = _Session(folders, watch, interruption, workers)
                try:
                    return session.run(target=self._target, preload=self._preload)
                finally:
                    session.close()
        except KeyboardInterrupt:
            raise Interrupted(STOPPED) from None


class _Session:
    """One call of `run`. Runs are numbered by their place in `folders`."""

    def __init__(self, folders: Sequence[Path], watch: Watch, interruption: Interruption, workers: int) -> None:
        assert len(set(folders)) == len(folders), "a run cannot be trained twice at once"
        self.folders, self.watch, self.interruption = folders, watch, interruption
        self.threads, self.devices = threads_each(workers), gpus()
        self.waiting: deque[int] = deque()
        self.running: dict[int, int] = {}
        self.free = list(range(workers))
        self.attempts: Counter[int] = Counter()
        self.said: dict[int, tuple[Status, str]] = {}
        self.ends: dict[int, RunEnd] = {}
        self.heeded = 0
        self.server: Connection | None = None

    def run(self, *, target: str, preload: Sequence[str]) -> list[RunEnd]:
        for run, folder in enumerate(self.folders):
            if end := already_done(folder):
                self._end(run, end)
            else:
                self.waiting.append(run)
        while self.waiting or self.running:
            self._heed()
            if self.waiting and self.server is None:
                self.server = Connection(target=target, threads=self.threads, preload=preload)
            self._fill()
            self._listen()
            self.watch.tick()
        if self.interruption.asked:
            raise Interrupted(STOPPED)
        return [self.ends[run] for run in range(len(self.folders))]

    def close(self) -> None:
        if self.server is not None:
            self.server.close()
            self.server = None

    def _heed(self) -> None:
        """Pass on what the user asked for since the last look."""
        asked = min(self.interruption.asked, 2)
        if asked == self.heeded:
            return
        self.heeded = asked
        self.waiting.clear()
        if self.server is not None and self.running:
            self.server.signal(signal.SIGTERM if asked == 1 else signal.SIGKILL)
            if asked == 1:
                self.watch.note("stopping: every run saves at the end of its step (once more to kill them)")

    def _fill(self) -> None:
        while self.waiting and self.free and self.server is not None and self.server.ready:
            run, slot = self.waiting.popleft(), self.free.pop(0)
            self.running[run] = slot
            self.attempts[run] += 1
            self.watch.started(self.folders[run], attempt=self.attempts[run])
            device = self.devices[slot % len(self.devices)] if self.devices else None
            self.server.start(run, str(self.folders[run]), device=device)

    def _listen(self) -> None:
        if self.server is None:
            return
        prints, messages = self.server.read(LOOK_SECONDS)
        for line in prints:
            self.watch.note(line)
        for message in messages:
            self._hear(message)
        if not self.server.alive:
            self.close()
            for run in list(self.running):
                self._gone(run, "the process that starts the runs died")

    def _hear(self, message: dict[str, Any]) -> None:
        if "status" in message:
            self.said[message["run"]] = (cast(Status, message["status"]), message["reason"])
        else:
            self._gone(message["run"], _cause(message["code"]))

    def _gone(self, run: int, cause: str) -> None:
        """The worker of `run` is gone: either it said how the run ended, or it was lost."""
        self.free.append(self.running.pop(run))
        status, reason = self.said.pop(run, (None, cause))
        if status == "stopped" and not self.interruption.asked:
            status, reason = None, "stopped by somebody else"
        folder, attempts = self.folders[run], self.attempts[run]
        if status is not None:
            self._end(run, RunEnd(folder, status, reason, attempts))
        elif self.interruption.asked:
            self._end(run, RunEnd(folder, "stopped", reason, attempts))
        elif attempts < ATTEMPTS:
            # At the end of the queue: by then whatever filled the memory may be over.
            self.waiting.append(run)
            self.watch.lost(folder, reason=f"{reason}; attempt {attempts} of {ATTEMPTS}")
        else:
            reason = f"{reason}, {attempts} attempts" + (
                "; out of memory?" if reason == _cause(-signal.SIGKILL) else ""
            )
            record_failure(folder, reason, details=None)
            self._end(run, RunEnd(folder, "failed", reason, attempts))

    def _end(self, run: int, end: RunEnd) -> None:
        self.ends[run] = end
        self.watch.ended(end)


def _cause(code: int) -> str:
    return f"killed by signal {-code}" if code < 0 else f"its process ended with exit code {code}"
