"""Jobs over worker processes: who runs where, who is tried again, and who has ended."""

import signal
from collections import Counter, deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

from stacklab.base.errors import Interrupted
from stacklab.study.engines.attempt import already_done, record_failure
from stacklab.study.engines.connection import Connection
from stacklab.study.engines.machine import gpus, threads_each
from stacklab.study.engines.protocol import STOPPED, RunEnd, Status, Watch
from stacklab.study.engines.signals import Interruption

ATTEMPTS = 3
LOOK_SECONDS = 0.2
# The first optimizer step imports torch._dynamo, which takes as long as torch itself.
PRELOAD = ("torch", "torch._dynamo")


class Job(NamedTuple):
    """What one worker process does: a run, or several by what `together` names."""

    folders: tuple[Path, ...]
    together: str | None = None


def carry_out(
    jobs: Sequence[Job], *, workers: int, watch: Watch, target: str, preload: Sequence[str]
) -> dict[Path, RunEnd]:
    """The end of every run. Raises Interrupted when the user stopped it."""
    try:
        with Interruption(patience=2) as interruption:
            session = _Session(jobs, watch, interruption, workers)
            try:
                return session.run(target=target, preload=preload)
            finally:
                session.close()
    except KeyboardInterrupt:
        raise Interrupted(STOPPED) from None


class _Session:
    """One call of `carry_out`. Jobs are numbered as they are made; a folder stands in one that waits or runs."""

    def __init__(self, jobs: Sequence[Job], watch: Watch, interruption: Interruption, workers: int) -> None:
        folders = [folder for job in jobs for folder in job.folders]
        assert len(set(folders)) == len(folders), "a run cannot be trained twice at once"
        self.watch, self.interruption = watch, interruption
        self.threads, self.devices = threads_each(workers), gpus()
        self.jobs: list[Job] = []
        self.waiting: deque[int] = deque()
        self.running: dict[int, int] = {}
        self.free = list(range(workers))
        self.attempts: Counter[Path] = Counter()
        self.said: dict[Path, tuple[Status, str]] = {}
        self.ends: dict[Path, RunEnd] = {}
        self.heeded = 0
        self.server: Connection | None = None
        self.given = jobs

    def run(self, *, target: str, preload: Sequence[str]) -> dict[Path, RunEnd]:
        for job in self.given:
            for folder in job.folders:
                if end := already_done(folder):
                    self._end(end)
            self._wait(job._replace(folders=tuple(folder for folder in job.folders if folder not in self.ends)))
        while self.waiting or self.running:
            self._heed()
            if self.waiting and self.server is None:
                self.server = Connection(target=target, threads=self.threads, preload=preload)
            self._fill()
            self._listen()
            self.watch.tick()
        if self.interruption.asked:
            raise Interrupted(STOPPED)
        return self.ends

    def close(self) -> None:
        if self.server is not None:
            self.server.close()
            self.server = None

    def _wait(self, job: Job) -> None:
        if job.folders:
            self.waiting.append(len(self.jobs))
            self.jobs.append(job)

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
            number, slot = self.waiting.popleft(), self.free.pop(0)
            self.running[number] = slot
            job = self.jobs[number]
            for folder in job.folders:
                self.attempts[folder] += 1
                self.watch.started(folder, attempt=self.attempts[folder])
            device = self.devices[slot % len(self.devices)] if self.devices else None
            self.server.start(number, [str(one) for one in job.folders], together=job.together, device=device)

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
            for number in list(self.running):
                self._gone(number, "the process that starts the runs died")

    def _hear(self, message: dict[str, Any]) -> None:
        number = message["job"]
        if "status" in message:
            folder = self.jobs[number].folders[message["place"]]
            self.said[folder] = (cast(Status, message["status"]), message["reason"])
        else:
            self._gone(number, _cause(message["code"]))

    def _gone(self, number: int, cause: str) -> None:
        """The worker of a job is gone: it said how its runs ended, or they were lost."""
        self.free.append(self.running.pop(number))
        job = self.jobs[number]
        self._wait(job._replace(folders=tuple(folder for folder in job.folders if not self._over(folder, cause))))

    def _over(self, folder: Path, cause: str) -> bool:
        """Whether nothing more is to be tried for a run whose worker is gone."""
        status, reason = self.said.pop(folder, (None, cause))
        if status == "stopped" and not self.interruption.asked:
            status, reason = None, "stopped by somebody else"
        attempts = self.attempts[folder]
        if status is not None:
            self._end(RunEnd(folder, status, reason, attempts))
        elif self.interruption.asked:
            self._end(RunEnd(folder, "stopped", reason, attempts))
        elif attempts < ATTEMPTS:
            # At the end of the queue: by then whatever filled the memory may be over.
            self.watch.lost(folder, reason=f"{reason}; attempt {attempts} of {ATTEMPTS}")
            return False
        else:
            reason = f"{reason}, {attempts} attempts" + (
                "; out of memory?" if reason == _cause(-signal.SIGKILL) else ""
            )
            record_failure(folder, reason, details=None)
            self._end(RunEnd(folder, "failed", reason, attempts))
        return True

    def _end(self, end: RunEnd) -> None:
        self.ends[end.folder] = end
        self.watch.ended(end)


def _cause(code: int) -> str:
    return f"killed by signal {-code}" if code < 0 else f"its process ended with exit code {code}"
