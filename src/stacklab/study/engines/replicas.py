"""Small runs of equal shape train together in one process, over stacked parameters; others as in `processes`."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from stacklab.base.errors import StacklabError
from stacklab.run.paths import RunPaths
from stacklab.run.stacking import group_key, why_alone
from stacklab.run.store import read_spec
from stacklab.study.engines.attempt import already_done
from stacklab.study.engines.machine import gpus
from stacklab.study.engines.processes import ProcessesEngine
from stacklab.study.engines.protocol import EXECUTE_TOGETHER, Watch
from stacklab.study.engines.session import Job

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
