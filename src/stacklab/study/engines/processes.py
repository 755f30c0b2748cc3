"""Several runs at once, each in a process of its own, so that a crash affects one run only; dealt to the cards of the
machine, where it has any.

With `replicas` runs of equal shape train together in one process, over stacked parameters.
"""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from stacklab.base.errors import SpecError, StacklabError
from stacklab.run.paths import RunPaths
from stacklab.run.stacking import group_key, rule_for, why_alone
from stacklab.run.store import check_resumable, read_spec
from stacklab.study.engines.attempt import already_done
from stacklab.study.engines.cards import Cards
from stacklab.study.engines.machine import VISIBLE, default_workers, gpus, threads_each, trains_on_card, uses_card
from stacklab.study.engines.protocol import EXECUTE, EXECUTE_TOGETHER, RunEnd, Watch
from stacklab.study.engines.session import PRELOAD, Job, carry_out


class ProcessesEngine:
    name = "processes"

    def __init__(
        self,
        *,
        workers: int | None = None,
        runs_per_gpu: int = 1,
        gpus_per_run: int = 1,
        on_cards: bool = True,
        target: str = EXECUTE,
        preload: Sequence[str] = PRELOAD,
    ) -> None:
        """As in make_engine. Raises SpecError for several runs per card where no run gets a card, and for a run on more
        cards than there are."""
        self._workers, self._runs_per_gpu, self._on_cards = workers, runs_per_gpu, on_cards
        self._gpus_per_run = gpus_per_run
        self._target = target
        self._preload = preload
        if runs_per_gpu > 1 and not self._cards():
            raise SpecError(f"runs-per-gpu: {runs_per_gpu} runs on each GPU, but {_no_card(on_cards)}; leave it out")
        if gpus_per_run > max(1, has := len(self._cards())):
            lacks = f"this machine has {has}{_hidden()}" if on_cards else _no_card(on_cards)
            raise SpecError(f"gpus-per-run: {gpus_per_run} GPUs for each run, but {lacks}; use at most {max(1, has)}")

    def slots(self, runs: int) -> int:
        room = len(self._cards()) // self._gpus_per_run * self._runs_per_gpu
        return min(self._workers or max(1, runs), room) if room else self._workers or default_workers(runs)

    def threads(self, runs: int) -> int:
        return threads_each(self.slots(runs))

    def run(self, folders: Sequence[Path], *, watch: Watch, runs: int | None = None) -> list[RunEnd]:
        """As in Engine.run. The first Ctrl-C lets every worker finish its step and save, a second one kills them."""
        workers = self.slots(runs or len(folders))
        jobs = self.jobs(folders, workers=workers, watch=watch)
        names = gpus()
        if names:
            jobs = [self._on_its_cards(job) for job in jobs]
        for job in jobs:
            for folder in job.folders:
                check_resumable(RunPaths(folder), ranks=job.cards)
        cards = Cards(names, runs_per_gpu=self._runs_per_gpu, workers=workers)
        ends = carry_out(jobs, workers=workers, cards=cards, watch=watch, target=self._target, preload=self._preload)
        return [ends[folder] for folder in folders]

    def jobs(self, folders: Sequence[Path], *, workers: int, watch: Watch) -> list[Job]:
        """What each process is given: one run."""
        return [Job((folder,)) for folder in folders]

    def _on_its_cards(self, job: Job) -> Job:
        if not any(map(_needs_card, job.folders)):
            return job._replace(on_card=False)
        return job._replace(cards=self._gpus_per_run, alone=self._gpus_per_run > 1)

    def _cards(self) -> list[str]:
        return gpus() if self._on_cards else []


def _no_card(on_cards: bool) -> str:
    return f"no GPU on this machine{_hidden()}" if on_cards else "the runs train on the CPU (train.device)"


def _hidden() -> str:
    return f" ({VISIBLE}={os.environ[VISIBLE]})" if VISIBLE in os.environ else ""


def _needs_card(folder: Path) -> bool:
    """Whether a run occupies a card; a run that cannot be read is left for `execute` to report."""
    try:
        return uses_card(read_spec(RunPaths(folder)).train.device)
    except StacklabError:
        return True


class ReplicasEngine(ProcessesEngine):
    """`threads` are those of a run that is trained alone; a stack has one thread."""

    name = "replicas"

    def jobs(self, folders: Sequence[Path], *, workers: int, watch: Watch) -> list[Job]:
        """A stack starts in the place of its first run."""
        jobs, reasons = make_jobs(folders, workers=workers)
        for reason, count in reasons.items():
            watch.note(f"{count} of {len(folders)} runs are trained one by one: {reason}")
        return jobs


class Group(NamedTuple):
    """Runs that can share a stack. most: in one stack, by the device they train on."""

    key: str
    most: int


def make_jobs(folders: Sequence[Path], *, workers: int) -> tuple[list[Job], Counter[str]]:
    """Jobs for stacks, cut so that every worker has one, and for single runs; and the count of the latter by reason."""
    groups: dict[Group | Path, list[Path]] = {}
    reasons: Counter[str] = Counter()
    for folder in folders:
        own, reason = _group_of(folder)
        groups.setdefault(own or folder, []).append(folder)
        if reason:
            reasons[reason] += 1
    stacked = sum(len(members) for group, members in groups.items() if isinstance(group, Group))
    jobs: list[Job] = []
    for group, members in groups.items():
        if not isinstance(group, Group):
            jobs.append(Job((group,)))
            continue
        stacks = -(-len(members) // max(1, min(group.most, -(-stacked // workers))))
        jobs += [Job(tuple(members[place::stacks]), EXECUTE_TOGETHER) for place in range(stacks)]
    return jobs, reasons


def _group_of(folder: Path) -> tuple[Group | None, str | None]:
    """(group, None), or (None, reason) for a run trained alone; (None, None) for one that is done or unreadable."""
    if already_done(folder):
        return None, None
    try:
        spec = read_spec(RunPaths(folder))
    except StacklabError:
        return None, None
    on_card = trains_on_card(spec.train.device)
    if reason := why_alone(spec, on_card=on_card):
        return None, reason
    return Group(group_key(spec), rule_for(on_card=on_card).most_runs), None
