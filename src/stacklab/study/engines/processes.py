"""Several runs at once, each in a process of its own, so that a crash affects one run only.

With `replicas` small runs of equal shape train together in one process, over stacked parameters.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from stacklab.base.errors import StacklabError
from stacklab.run.paths import RunPaths
from stacklab.run.stacking import group_key, why_alone
from stacklab.run.store import read_spec
from stacklab.study.engines.attempt import already_done
from stacklab.study.engines.machine import default_workers, gpus, threads_each
from stacklab.study.engines.protocol import EXECUTE, EXECUTE_TOGETHER, RunEnd, Watch
from stacklab.study.engines.session import PRELOAD, Job, carry_out


class ProcessesEngine:
    name = "processes"

    def __init__(self, *, workers: int | None = None, target: str = EXECUTE, preload: Sequence[str] = PRELOAD) -> None:
        self._workers = workers
        self._target = target
        self._preload = preload

    def slots(self, runs: int) -> int:
        return self._workers or default_workers(runs)

    def threads(self, runs: int) -> int:
        return threads_each(self.slots(runs))

    def run(self, folders: Sequence[Path], *, watch: Watch, runs: int | None = None) -> list[RunEnd]:
        """As in Engine.run. The first Ctrl-C lets every worker finish its step and save, a second one kills them."""
        workers = self.slots(runs or len(folders))
        jobs = self.jobs(folders, workers=workers, watch=watch)
        ends = carry_out(jobs, workers=workers, watch=watch, target=self._target, preload=self._preload)
        return [ends[folder] for folder in folders]

    def jobs(self, folders: Sequence[Path], *, workers: int, watch: Watch) -> list[Job]:
        """What each process is given: one run."""
        return [Job((folder,)) for folder in folders]


MOST_TOGETHER = 8
"""More runs in a stack gain nothing and cost memory."""


class ReplicasEngine(ProcessesEngine):
    """`threads` are those of a run that is trained alone; a stack has one thread."""

    name = "replicas"

    def jobs(self, folders: Sequence[Path], *, workers: int, watch: Watch) -> list[Job]:
        """A stack starts in the place of its first run."""
        jobs, reasons = make_jobs(folders, workers=workers)
        for reason, count in reasons.items():
            watch.note(f"{count} of {len(folders)} runs are trained one by one: {reason}")
        return jobs


def make_jobs(folders: Sequence[Path], *, workers: int) -> tuple[list[Job], Counter[str]]:
    """Jobs for stacks, cut so that every worker has one, and for single runs; and the count of the latter by reason."""
    groups: dict[str, list[Path]] = {}
    reasons: Counter[str] = Counter()
    for folder in folders:
        key, reason = _group_of(folder)
        groups.setdefault(key or str(folder), []).append(folder)
        if reason:
            reasons[reason] += 1
    keys = {key for key, group in groups.items() if key != str(group[0])}
    size = max(1, min(MOST_TOGETHER, -(-sum(len(groups[key]) for key in keys) // workers)))
    jobs: list[Job] = []
    for key, group in groups.items():
        if key not in keys:
            jobs.append(Job((group[0],)))
            continue
        stacks = -(-len(group) // size)
        jobs += [Job(tuple(group[place::stacks]), EXECUTE_TOGETHER) for place in range(stacks)]
    return jobs, reasons


def _group_of(folder: Path) -> tuple[str | None, str | None]:
    """(group, None), or (None, reason) for a run trained alone; (None, None) for one that is done or unreadable."""
    if already_done(folder):
        return None, None
    try:
        spec = read_spec(RunPaths(folder))
    except StacklabError:
        return None, None
    reason = "stacks are for machines without a GPU" if gpus() else why_alone(spec)
    return (None, reason) if reason else (group_key(spec), None)
