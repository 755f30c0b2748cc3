"""The stages of a study before anything is trained: the most that each of them may train.

Each stage is a plan of its own. What it needs once earlier stages have results: stacklab.study.results.stages.
"""

from collections.abc import Callable
from typing import NamedTuple

from stacklab.study.planning.plan import Plan
from stacklab.study.planning.retry import most_retries
from stacklab.study.planning.tuning import tuning_plan


class Stage(NamedTuple):
    """A part of a study that ends before the next begins.

    most: from the plan to all runs that the stage may have. certain: it has them whatever the earlier results.
    """

    name: str
    most: Callable[[Plan], Plan]
    certain: bool


def _main(plan: Plan) -> Plan:
    """All arms at the shared rate, and a second time if each is tuned."""
    return plan if plan.tuning is None else plan.model_copy(update={"arms": (*plan.arms, *plan.arms)})


TUNING = Stage("tuning", tuning_plan, certain=True)
MAIN = Stage("main", _main, certain=True)
RETRIES = Stage("retries", most_retries, certain=False)
STAGES = (TUNING, MAIN, RETRIES)


def count_runs(plan: Plan) -> int:
    """Number of certain runs. It decides the threads of a run, so it must not change as results come in."""
    return sum(len(stage.most(plan).runs()) for stage in STAGES if stage.certain)
