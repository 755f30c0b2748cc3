"""Estimates of the arms: the values of their finished runs by metric, with mean and interval."""

from collections.abc import Sequence

from stacklab.base.spec import Items, Spec
from stacklab.report.facts.history import RunFact
from stacklab.stats.describe import mean, mean_t
from stacklab.stats.result import Estimate, Result, Undefined
from stacklab.study.planning.plan import ArmPlan

COUNTS = ("total_parameters", "non_embedding_parameters", "flops_per_token", "train_flops")
"""Known before training, and the same for every seed."""

LEVEL = 0.05
"""Level of the intervals of single arms: 95 % confidence."""

COUNTED = Undefined(reason="a count, the same for every seed")


class Measure(Spec):
    """One metric of one arm over its finished runs. `mean` is None when there is no value at all."""

    metric: str
    seeds: Items[int]
    values: Items[float]
    mean: float | None
    estimate: Result


def measures(runs: Sequence[RunFact]) -> tuple[Measure, ...]:
    """One per metric that a finished run of the arm has, in the order of their first appearance."""
    by_metric: dict[str, dict[int, float]] = {}
    for run in runs:
        if run.status == "finished":
            for name, value in (run.metrics | run.timing).items():
                if value is not None:
                    by_metric.setdefault(name, {})[run.seed] = value
    return tuple(_measure(name, by_seed) for name, by_seed in by_metric.items())


def counts(arm: ArmPlan) -> tuple[Measure, ...]:
    values = [(name, float(getattr(arm, name))) for name in COUNTS]
    return tuple(Measure(metric=name, seeds=(), values=(v,), mean=v, estimate=COUNTED) for name, v in values)


def shifted(result: Result, by: float) -> Result:
    """The same estimate with a constant taken off."""
    if not isinstance(result, Estimate):
        return result
    moved = {"value": result.value - by, "low": result.low - by, "high": result.high - by}
    return result.model_copy(update=moved)


def _measure(name: str, by_seed: dict[int, float]) -> Measure:
    values = list(by_seed.values())
    return Measure(
        metric=name,
        seeds=tuple(by_seed),
        values=tuple(values),
        mean=mean(values),
        estimate=mean_t(values, level=LEVEL),
    )
