"""Scheduling of jobs over worker processes: starts, retries, ends."""

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
    """The work of one worker process: one run, or several by the function that `together` names."""

    folders: tuple[Path, ...]
    together: str | None = None


def carry_out(
    jobs: Sequence[Job], *, workers: int, watch: Watch, target: str, preload: Sequence[str]
) -> dict[Path, RunEnd]:
    """The end of every run. Raises Interrupted when the user stops it."""
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
    """One call of `carry_out`. Jobs are numbered as they are made; a folder is in at most one unfinished job."""

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
        self.reported: dict[Path, tuple[Status, str]] = {}
        self.ends: dict[Path, RunEnd] = {}
        self.forwarded = 0
        self.server: Connection | None = None
        self.initial = jobs

    def run(self, *, target: str, preload: Sequence[str]) -> dict[Path, RunEnd]:
        for job in self.initial:
            for folder in job.folders:
                if end := already_done(folder):
                    self._end(end)
            self._enqueue(job._replace(folders=tuple(folder for folder in job.folders if folder not in self.ends)))
        while self.waiting or self.running:
            self._forward_stop()
            if self.waiting and self.server is None:
                self.server = Connection(target=target, threads=self.threads, preload=preload)
            self._start_jobs()
            self._listen()
            self.watch.tick()
        if self.interruption.count:
            raise Interrupted(STOPPED)
        return self.ends

    def close(self) -> None:
        if self.server is not None:
            self.server.close()
            self.server = None

    def _enqueue(self, job: Job) -> None:
        if job.folders:
            self.waiting.append(len(self.jobs))
            self.jobs.append(job)

    def _forward_stop(self) -> None:
        """Forward a new stop signal to the workers: SIGTERM for the first, SIGKILL for the second."""
        count = min(self.interruption.count, 2)
        if count == self.forwarded:
            return
        self.forwarded = count
        self.waiting.clear()
        if self.server is not None and self.running:
            self.server.signal(signal.SIGTERM if count == 1 else signal.SIGKILL)
            if count == 1:
                self.watch.note("stopping: every run saves at the end of its step (stop again to kill them)")

    def _start_jobs(self) -> None:
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
            self._receive(message)
        if not self.server.alive:
            self.close()
            for number in list(self.running):
                self._worker_ended(number, "the process that starts the runs died")

    def _receive(self, message: dict[str, Any]) -> None:
        number = message["job"]
        if "status" in message:
            folder = self.jobs[number].folders[message["place"]]
            self.reported[folder] = (cast(Status, message["status"]), message["reason"])
        else:
            self._worker_ended(number, _cause(message["code"]))

    def _worker_ended(self, number: int, cause: str) -> None:
        """The worker of a job ended: it has reported how its runs ended, or they were lost."""
        self.free.append(self.running.pop(number))
        job = self.jobs[number]
        self._enqueue(job._replace(folders=tuple(folder for folder in job.folders if not self._is_over(folder, cause))))

    def _is_over(self, folder: Path, cause: str) -> bool:
        """Whether a run whose worker has ended will not be retried."""
        status, reason = self.reported.pop(folder, (None, cause))
        if status == "stopped" and not self.interruption.count:
            status, reason = None, "stopped by another process"
        attempts = self.attempts[folder]
        if status is not None:
            self._end(RunEnd(folder, status, reason, attempts))
        elif self.interruption.count:
            self._end(RunEnd(folder, "stopped", reason, attempts))
        elif attempts < ATTEMPTS:
            # Queued last: by then memory may be free again.
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
