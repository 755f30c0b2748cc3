"""Projected time of a plan on this machine: every arm is measured, as many at a time as runs will train."""

import heapq
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from pathlib import Path
from queue import SimpleQueue

from stacklab.run.spec import RunSpec
from stacklab.run.timing.cost import RunCost
from stacklab.study.engines.machine import gpus, threads_each
from stacklab.study.planning.measure import measured
from stacklab.study.planning.plan import ArmPlan, Plan, PlannedRun
from stacklab.study.planning.stages import STAGES, Stage

MEASUREMENT = "calibrate"
MEND = "--no-calibrate plans without measuring"


def calibrate(plan: Plan, out: Path, *, workers: int) -> dict[str, RunCost]:
    """The measured cost of a run of each arm; of one that several cards share, the part of one of them.

    Raises StacklabError when one cannot be measured.
    """
    threads, arms, places = threads_each(workers), plan.arms, _places(plan, workers)

    def cost(arm: ArmPlan) -> RunCost:
        text, card = _on_one_card(plan.run_spec(arm, plan.seeds[0]), plan.gpus_per_run).model_dump_json(), places.get()
        try:
            return RunCost.model_validate_json(measured(MEASUREMENT, text, out, threads=threads, mend=MEND, card=card))
        finally:
            places.put(card)

    with ThreadPoolExecutor(workers) as pool:
        return dict(zip((arm.name for arm in arms), pool.map(cost, arms), strict=True))


def _on_one_card(spec: RunSpec, cards: int) -> RunSpec:
    """The part of a run that each of `cards` cards trains: its rows of every batch."""
    train = spec.train
    share = {"batch_size": train.batch_size // cards, "micro_batch_size": train.micro_batch_on(cards)}
    return spec.model_copy(update={"train": train.model_copy(update=share)}) if cards > 1 else spec


def _places(plan: Plan, workers: int) -> SimpleQueue[str | None]:
    """A place to measure on for every worker: the first card of each run that may train at the same time; None on a
    machine without cards."""
    places: SimpleQueue[str | None] = SimpleQueue()
    for name in islice(cycle(gpus()[:: plan.gpus_per_run] or [None]), workers):
        places.put(name)
    return places


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
