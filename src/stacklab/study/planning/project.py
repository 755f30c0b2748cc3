"""How long a plan will take on this machine: every arm is measured, as many at once as runs will be."""

import heapq
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from stacklab.run.timing.cost import RunCost
from stacklab.study.engines.machine import threads_each
from stacklab.study.planning.measure import measured
from stacklab.study.planning.plan import Plan, PlannedRun
from stacklab.study.planning.stages import STAGES, Stage

MEASUREMENT = "calibrate"
MEND = "--no-calibrate plans without measuring"


def calibrate(plan: Plan, out: Path, *, workers: int) -> dict[str, RunCost]:
    """The measured cost of a run of each arm. Raises StacklabError when one cannot be measured."""
    threads = threads_each(workers)
    arms = plan.arms
    with ThreadPoolExecutor(workers) as pool:
        texts = [plan.run_spec(arm, plan.seeds[0]).model_dump_json() for arm in arms]
        found = list(pool.map(lambda text: measured(MEASUREMENT, text, out, threads=threads, mend=MEND), texts))
    return {arm.name: RunCost.model_validate_json(cost) for arm, cost in zip(arms, found, strict=True)}


def projected_seconds(plan: Plan, costs: dict[str, RunCost], *, workers: int) -> float:
    """Until the last run ends, when each worker takes the next run as it becomes free."""
    return sum(_stage_seconds(stage, plan, costs, workers) for stage in STAGES if stage.certain)


def retry_seconds(plan: Plan, costs: dict[str, RunCost], *, workers: int) -> float:
    """What the study would take beyond that if no stack solved at its first rate."""
    return sum(_stage_seconds(stage, plan, costs, workers) for stage in STAGES if not stage.certain)


def _stage_seconds(stage: Stage, plan: Plan, costs: dict[str, RunCost], workers: int) -> float:
    """An arm at another learning rate costs what it costs at the shared one."""
    return _until_the_last([_seconds(run, costs) for run in stage.most(plan).runs()], workers)


def _seconds(run: PlannedRun, costs: dict[str, RunCost]) -> float:
    cost = costs[run.arm.origin or run.arm.name]
    # Runs of the grid answer no problems and write no samples.
    is_of_grid = run.spec.evaluate.split == "tuning"
    return (cost.model_copy(update={"finish": 0.0}) if is_of_grid else cost).seconds(run.spec)


def _until_the_last(seconds: list[float], workers: int) -> float:
    free_at = [0.0] * workers
    for cost in seconds:
        heapq.heapreplace(free_at, free_at[0] + cost)
    return max(free_at)
