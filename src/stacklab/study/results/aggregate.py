"""The study's aggregates: one robust number per arm over several metrics on one scale."""

from collections.abc import Sequence

from stacklab.base.spec import Items, Spec
from stacklab.run.metrics import is_share
from stacklab.stats.bootstrap import interquartile_mean
from stacklab.stats.multiplicity import look_level
from stacklab.stats.result import Result
from stacklab.study.planning.plan import Plan
from stacklab.study.results.collect import Row
from stacklab.study.spec.study import AggregateSpec

LEVEL = 0.05
"""Level of the intervals over all looks: 95 % confidence if there is one look."""


class ArmAggregate(Spec):
    """An arm's scores by metric, one per finished seed, and the interquartile mean of them all."""

    arm: str
    label: str
    scores: dict[str, Items[float]]
    estimate: Result


class Aggregate(Spec):
    """One number over several metrics on one scale. `absent`: why this scale cannot have it; empty if it can."""

    name: str
    label: str
    metrics: Items[str]
    arms: Items[ArmAggregate]
    absent: str


def aggregates(plan: Plan, rows: Sequence[Row]) -> list[Aggregate]:
    """All aggregates of the study."""
    finished = [row for row in rows if row.status == "finished"]
    return [_aggregate(plan, spec, finished) for spec in plan.study.aggregates]


def _aggregate(plan: Plan, spec: AggregateSpec, finished: list[Row]) -> Aggregate:
    absent = _absent(plan, spec, finished)
    arms = () if absent else tuple(_arm(plan, spec, arm.name, finished) for arm in plan.arms)
    return Aggregate(name=spec.name, label=spec.label, metrics=spec.metrics, arms=arms, absent=absent)


def _absent(plan: Plan, spec: AggregateSpec, finished: list[Row]) -> str:
    if not plan.study.base.evaluate.problems and any(map(is_share, spec.metrics)):
        return "this scale evaluates no problems (evaluate.problems: 0)"
    if not finished:
        return "no run has finished"
    missing = [metric for metric in spec.metrics if all(metric not in row.metrics for row in finished)]
    return f"no run has {', '.join(missing)}" if missing else ""


def _arm(plan: Plan, spec: AggregateSpec, arm: str, finished: list[Row]) -> ArmAggregate:
    own = [row.metrics for row in finished if row.arm == arm]
    scores = {metric: tuple(metrics[metric] for metrics in own if metric in metrics) for metric in spec.metrics}
    estimate = interquartile_mean(scores, level=look_level(LEVEL, plan.look, plan.looks))
    return ArmAggregate(arm=arm, label=plan.arm(arm).label, scores=scores, estimate=estimate)
