"""Projected time of a plan on this machine: every arm is measured, as many at a time as runs will train."""

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
        costs = list(pool.map(lambda text: measured(MEASUREMENT, text, out, threads=threads, mend=MEND), texts))
    return {arm.name: RunCost.model_validate_json(cost) for arm, cost in zip(arms, costs, strict=True)}


def projected_seconds(plan: Plan, costs: dict[str, RunCost], *, workers: int) -> float:
    """Seconds until the last run ends, if every free worker takes the next run."""
    return sum(_stage_seconds(stage, plan, costs, workers) for stage in STAGES if stage.certain)


def retry_seconds(plan: Plan, costs: dict[str, RunCost], *, workers: int) -> float:
    """Additional seconds if no stack solved at its first rate."""
    return sum(_stage_seconds(stage, plan, costs, workers) for stage in STAGES if not stage.certain)


def _stage_seconds(stage: Stage, plan: Plan, costs: dict[str, RunCost], workers: int) -> float:
    """Seconds of one stage. An arm costs the same at every learning rate."""
    return _makespan([_seconds(run, costs) for run in stage.most(plan).runs()], workers)


def _seconds(run: PlannedRun, costs: dict[str, RunCost]) -> float:
    cost = costs[run.arm.origin or run.arm.name]
    # Tuning runs evaluate no problems and write no samples.
    is_of_grid = run.spec.evaluate.split == "tuning"
    return (cost.model_copy(update={"finish": 0.0}) if is_of_grid else cost).seconds(run.spec)


def _makespan(seconds: list[float], workers: int) -> float:
    free_at = [0.0] * workers
    for cost in seconds:
        heapq.heapreplace(free_at, free_at[0] + cost)
    return max(free_at)
