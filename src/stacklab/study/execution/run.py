"""Run a plan: make the run folders, hand the unfinished ones to an engine, read the results."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from stacklab.base.locks import exclusive
from stacklab.run.paths import OutPaths
from stacklab.run.store import create_run
from stacklab.study.planning.attention_cost import attention_costs
from stacklab.study.planning.plan import Plan, PlannedRun, save_plan
from stacklab.study.results.ledger import enter
from stacklab.study.results.results import StudyResult, read_results
from stacklab.study.results.stages import NEEDED

Todo = dict[Path, tuple[str, int]]
"""Run folder -> the label and the seed of its run, most expensive first."""


def run_plan(plan: Plan, out: Path, *, start: Callable[[Todo], Any]) -> StudyResult:
    """Run what is not finished yet, stage by stage, and return the whole study's result.

    `start` gets the runs of a stage. Raises BusyError when another command runs the same study.
    """
    folder = plan.folder(out)
    with exclusive(folder, what=f"study {plan.study.name} at scale {plan.scale}"):
        save_plan(plan, folder)
        enter(plan, out)
        for needed in NEEDED.values():
            _run(needed(plan, out).runs(), out, start)
        return read_results(plan, out)


def _run(runs: list[PlannedRun], out: Path, start: Callable[[Todo], Any]) -> None:
    """Make the folders, one for arms that share a run, and start the runs that are not finished."""
    todo: Todo = {}
    for arm, seed, spec in runs:
        run = OutPaths(out).run(spec.run_id)
        create_run(spec, run)
        if not run.result.exists():
            run.error.unlink(missing_ok=True)
            todo.setdefault(run.folder, (arm.label, seed))
    if todo:
        start(todo)


def with_attention(plan: Plan, out: Path, *, threads: int) -> Plan:
    """The plan with the time of attention in its arms, for a study with a trend; any other plan unchanged."""
    if plan.study.trend is None:
        return plan
    arms = {arm.name: arm for arm in plan.arms}
    return plan.model_copy(update={"attention": attention_costs(arms, out, threads=threads)})
