"""One run after the other, in this process: easy to debug and to profile."""

import pkgutil
from collections.abc import Sequence
from pathlib import Path

from stacklab.base.env import apply_defaults
from stacklab.base.errors import Interrupted, SpecError
from stacklab.run.paths import RunPaths
from stacklab.run.store import check_resumable
from stacklab.study.engines.attempt import already_done, attempt, fail_for_memory
from stacklab.study.engines.machine import cores
from stacklab.study.engines.protocol import EXECUTE, LOST, OUT_OF_MEMORY, STOPPED, Execute, RunEnd, Watch
from stacklab.study.engines.signals import Interruption


class InlineEngine:
    name = "inline"

    def __init__(self, *, workers: int | None = None, target: str = EXECUTE) -> None:
        """Raises SpecError for more than one worker."""
        if workers not in (None, 1):
            raise SpecError(f"workers: the inline engine trains one run at a time, not {workers}; use processes")
        self._target = target

    def slots(self, runs: int) -> int:
        return 1

    def threads(self, runs: int) -> int:
        return cores()

    def run(self, folders: Sequence[Path], *, watch: Watch, runs: int | None = None) -> list[RunEnd]:
        """As in Engine.run. The first Ctrl-C stops at the next step boundary, a second one at once."""
        apply_defaults()
        for folder in folders:
            check_resumable(RunPaths(folder), ranks=1)
        ends = []
        try:
            with Interruption(patience=1) as interruption:
                for folder in folders:
                    end = already_done(folder) or self._run_one(folder, watch, interruption)
                    watch.ended(end)
                    ends.append(end)
                    if interruption.count:
                        raise Interrupted(STOPPED)
        except KeyboardInterrupt:
            raise Interrupted(STOPPED) from None
        return ends

    def _run_one(self, folder: Path, watch: Watch, interruption: Interruption) -> RunEnd:
        def stop() -> bool:
            watch.tick()
            return interruption.count > 0

        execute: Execute = pkgutil.resolve_name(self._target)
        watch.started(folder, attempt=1)
        status, reason = attempt(execute, folder, threads=cores(), stop=stop)
        if status == OUT_OF_MEMORY:
            return RunEnd(folder, "failed", fail_for_memory(folder, reason))
        assert status != LOST, "a run has no process of its own here"
        return RunEnd(folder, status, reason)
