"""How long a plan will take on this machine: every arm is measured, as many at once as runs will be."""

import heapq
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from stacklab.run.cost import RunCost
from stacklab.study.engines.machine import threads_each
from stacklab.study.planning.measure import measured
from stacklab.study.planning.plan import Plan
from stacklab.study.planning.retry import most_retries
from stacklab.study.planning.tuning import trials

MODULE = "stacklab.run.calibrate"
MEND = "--no-calibrate plans without measuring"


def calibrate(plan: Plan, out: Path, *, workers: int) -> dict[str, RunCost]:
    """The measured cost of a run of each arm. Raises StacklabError when one cannot be measured."""
    threads = threads_each(workers)
    arms = [arm for arm in plan.arms if not arm.origin]
    with ThreadPoolExecutor(workers) as pool:
        texts = [plan.run_spec(arm, plan.seeds[0]).model_dump_json() for arm in arms]
        found = list(pool.map(lambda text: measured(MODULE, text, out, threads=threads, mend=MEND), texts))
    return {arm.name: RunCost.model_validate_json(cost) for arm, cost in zip(arms, found, strict=True)}


def projected_seconds(plan: Plan, costs: dict[str, RunCost], *, workers: int) -> float:
    """Until the last run ends, when each worker takes the next run as it becomes free."""
    # Runs of the grid are not asked to answer problems.
    grid = [costs[arm.name].model_copy(update={"finish": 0.0}).seconds(spec) for arm, _, _, spec in trials(plan)]
    shared = [costs[arm.name].seconds(spec) for arm, _, spec in plan.runs() if not arm.origin]
    # A tuned arm costs what it costs at the shared rate.
    return sum(_until_the_last(stage, workers) for stage in (grid, shared * (2 if grid else 1)))


def retry_seconds(plan: Plan, costs: dict[str, RunCost], *, workers: int) -> float:
    """What the study would take beyond that if no stack solved at its first rate."""
    return _until_the_last([costs[arm.origin].seconds(spec) for arm, _, spec in most_retries(plan).runs()], workers)


def _until_the_last(seconds: list[float], workers: int) -> float:
    free_at = [0.0] * workers
    for cost in seconds:
        heapq.heapreplace(free_at, free_at[0] + cost)
    return max(free_at)
