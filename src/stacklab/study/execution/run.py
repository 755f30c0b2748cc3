"""Carry a plan out: make the run folders, hand the unfinished ones to an engine, read everything back."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from stacklab.base.locks import exclusive
from stacklab.run.paths import OutPaths
from stacklab.run.spec import RunSpec
from stacklab.run.store import create_run
from stacklab.study.planning.plan import Plan, save_plan
from stacklab.study.planning.tuning import trials, with_tuned
from stacklab.study.results.cells import to_retry
from stacklab.study.results.ledger import enter
from stacklab.study.results.results import StudyResult, read_results

Todo = dict[Path, tuple[str, int]]
"""Run folder -> how its run is called and its seed, dearest first."""


def run_plan(plan: Plan, out: Path, *, start: Callable[[Todo], Any]) -> StudyResult:
    """Run what is not finished yet, and return the whole study's result: first the grid of a study that tunes, last
    what stacks that fail get before they count as such.

    `start` gets what is to be run, once for each of these. Raises BusyError when another command runs the same study.
    """
    folder = plan.folder(out)
    with exclusive(folder, what=f"study {plan.study.name} at scale {plan.scale}"):
        save_plan(plan, folder)
        enter(plan, out)
        _run([(trial.label, trial.spec) for trial in trials(plan)], out, start)
        plan = with_tuned(plan, out)
        save_plan(plan, folder)
        _run([(arm.label, spec) for arm, _, spec in plan.runs()], out, start)
        _run([(arm.label, spec) for arm, _, spec in to_retry(plan, out).runs()], out, start)
        return read_results(plan, out)


def _run(specs: list[tuple[str, RunSpec]], out: Path, start: Callable[[Todo], Any]) -> None:
    """Make the folders, each once though two arms may share a run, and start those that are not finished."""
    todo: Todo = {}
    for label, spec in specs:
        run = OutPaths(out).run(spec.run_id)
        create_run(spec, run)
        if not run.result.exists():
            run.error.unlink(missing_ok=True)
            todo.setdefault(run.folder, (label, spec.seed))
    if todo:
        start(todo)
