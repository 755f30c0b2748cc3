"""Several runs at once, each in a process of its own, so that a crash affects one run only."""

from collections.abc import Sequence
from pathlib import Path

from stacklab.study.engines.machine import default_workers, threads_each
from stacklab.study.engines.protocol import EXECUTE, RunEnd, Watch
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
