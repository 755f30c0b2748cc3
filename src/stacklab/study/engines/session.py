"""Scheduling of jobs over worker processes and cards: starts, retries, ends."""

import signal
from collections import Counter, deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

from stacklab.base.errors import Interrupted
from stacklab.base.hardware import limit_in
from stacklab.study.engines.attempt import already_done, fail_for_memory, record_failure
from stacklab.study.engines.cards import Card, Cards
from stacklab.study.engines.connection import Connection
from stacklab.study.engines.machine import threads_each
from stacklab.study.engines.protocol import LOST, OUT_OF_MEMORY, STOPPED, RunEnd, Status, Unfinished, Watch
from stacklab.study.engines.signals import Interruption

ATTEMPTS = 3
LOOK_SECONDS = 0.2
# The first optimizer step imports torch._dynamo, which takes as long as torch itself.
PRELOAD = ("torch", "torch._dynamo")


class Job(NamedTuple):
    """The work of one worker process: one run, or several by the function that `together` names.

    on_card: whether it occupies cards, where there are any. cards: how many, each for one of its ranks. alone: it has
    them to itself.
    """

    folders: tuple[Path, ...]
    together: str | None = None
    on_card: bool = True
    cards: int = 1
    alone: bool = False


Next = Literal["over", "again", "alone"]
"""What happens to a run whose worker has ended: nothing, a retry, or a retry alone on a card."""


def carry_out(
    jobs: Sequence[Job], *, workers: int, cards: Cards, watch: Watch, target: str, preload: Sequence[str]
) -> dict[Path, RunEnd]:
    """The end of every run; at most `workers` jobs run at a time. Raises Interrupted when the user stops it."""
    try:
        with Interruption(patience=2) as interruption:
            session = _Session(jobs, watch, interruption, workers, cards)
            try:
                return session.run(target=target, preload=preload)
            finally:
                session.close()
    except KeyboardInterrupt:
        raise Interrupted(STOPPED) from None


class _Session:
    """One call of `carry_out`. Jobs are numbered as they are made; a folder is in at most one unfinished job."""

    def __init__(
        self, jobs: Sequence[Job], watch: Watch, interruption: Interruption, workers: int, cards: Cards
    ) -> None:
        folders = [folder for job in jobs for folder in job.folders]
        assert len(set(folders)) == len(folders), "a run cannot be trained twice at once"
        self.watch, self.interruption = watch, interruption
        self.workers, self.threads, self.cards = workers, threads_each(workers), cards
        self.jobs: list[Job] = []
        self.waiting: deque[int] = deque()
        self.running: dict[int, list[Card]] = {}
        self.attempts: Counter[Path] = Counter()
        self.reported: dict[Path, tuple[Status | Unfinished, str]] = {}
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
        if self.server is None or not self.server.ready:
            return
        while len(self.running) < self.workers and (next_one := self._startable()):
            number, cards = next_one
            self.waiting.remove(number)
            job = self.jobs[number]
            for card in cards:
                card.start(number, alone=job.alone)
            self.running[number] = cards
            for folder in job.folders:
                self.attempts[folder] += 1
                self.watch.started(folder, attempt=self.attempts[folder])
            names = [card.name for card in cards if card.name is not None]
            self.server.start(
                number,
                [str(one) for one in job.folders],
                together=job.together,
                device=",".join(names) if names else None,
                ranks=job.cards,
            )

    def _startable(self) -> tuple[int, list[Card]] | None:
        """The first waiting job for which there are cards, and the cards."""
        for number in self.waiting:
            job = self.jobs[number]
            if cards := self.cards.free(job.cards, on_card=job.on_card, alone=job.alone):
                return number, cards
        return None

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
            self.reported[folder] = (cast(Status | Unfinished, message["status"]), message["reason"])
        else:
            self._worker_ended(number, _cause(message["code"]))

    def _worker_ended(self, number: int, cause: str) -> None:
        """The worker of a job ended: it has reported how its runs ended, or they were lost."""
        job, cards = self.jobs[number], self.running.pop(number)
        nexts = {folder: self._next(folder, job, cause) for folder in job.folders}
        alone = [folder for folder, what in nexts.items() if what == "alone"]
        for card in cards:
            if alone and len(card.jobs) > 1:
                self._leave_room(card)
            card.end(number)
        self._enqueue(job._replace(folders=tuple(folder for folder, what in nexts.items() if what == "again")))
        for folder in alone:
            self._enqueue(Job((folder,), on_card=job.on_card, alone=True))

    def _leave_room(self, card: Card) -> None:
        """From now on the card takes one run fewer than those whose memory it did not have."""
        card.room = len(card.jobs) - 1
        name = "the GPU" if card.name is None else f"GPU {card.name}"
        self.watch.note(f"{name} is too small for {len(card.jobs)} runs at once; from now on at most {card.room}")

    def _next(self, folder: Path, job: Job, cause: str) -> Next:
        """What happens to a run whose worker has ended. Retries are queued last: by then memory may be free again."""
        status, reason = self.reported.pop(folder, (LOST, cause))
        if status == "stopped" and not self.interruption.count:
            status, reason = LOST, "stopped by another process"
        attempts = self.attempts[folder]
        if status != LOST and status != OUT_OF_MEMORY:
            self._end(RunEnd(folder, status, reason, attempts))
        elif self.interruption.count:
            self._end(RunEnd(folder, "stopped", reason, attempts))
        elif status == OUT_OF_MEMORY and not job.alone:
            self.watch.lost(folder, reason=f"{reason}; it will be retried with a card to itself")
            return "alone"
        elif status == OUT_OF_MEMORY:
            self._end(RunEnd(folder, "failed", fail_for_memory(folder, reason), attempts))
        elif attempts < ATTEMPTS:
            self.watch.lost(folder, reason=f"{reason}; attempt {attempts} of {ATTEMPTS}")
            return "again"
        else:
            reason = f"{reason}, {attempts} attempts" + (
                "; out of memory?" if reason == _cause(-signal.SIGKILL) else ""
            )
            record_failure(folder, reason, details=None)
            self._end(RunEnd(folder, "failed", reason, attempts))
        return "over"

    def _end(self, end: RunEnd) -> None:
        self.ends[end.folder] = end
        self.watch.ended(end)


def _cause(code: int) -> str:
    if code != -signal.SIGKILL and (limit := limit_in("", code)):
        return f"killed by signal {-code}, {limit}"
    return f"killed by signal {-code}" if code < 0 else f"its process ended with exit code {code}"
