"""Carry a plan out: make the run folders, hand the unfinished ones to an engine, read everything back."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from stacklab.base.locks import exclusive
from stacklab.run.paths import OutPaths
from stacklab.run.store import create_run
from stacklab.study.ledger import enter
from stacklab.study.plan import Plan, save_plan
from stacklab.study.results import StudyResult, read_results


def run_plan(plan: Plan, out: Path, *, start: Callable[[list[Path]], Any]) -> StudyResult:
    """Run what is not finished yet and return the whole study's result.

    `start` gets the folders to run, dearest first. Raises BusyError when another command runs the same study.
    """
    folder = plan.folder(out)
    with exclusive(folder, what=f"study {plan.study.name} at scale {plan.scale}"):
        save_plan(plan, folder)
        paths = OutPaths(out)
        todo = []
        for _, _, spec in plan.runs():
            run = paths.run(spec.run_id)
            create_run(spec, run)
            if not run.result.exists():
                run.error.unlink(missing_ok=True)
                todo.append(run.folder)
        enter(plan, out)
        if todo:
            start(todo)
        return read_results(plan, out)
