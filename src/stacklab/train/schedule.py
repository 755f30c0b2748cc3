"""What depends on the step: the learning rate, and whether the goal of a stop rule is reached."""

import math
from collections.abc import Mapping, Sequence

from stacklab.base.errors import SpecError
from stacklab.train.spec import StopSpec, TrainSpec


def learning_rate(spec: TrainSpec, step: int) -> float:
    """The rate of step number `step`, counted from 0: warm-up starts at zero and the last step is just above the end
    of the cosine, as in the source's training log. After `decay_steps` the rate stays at that end."""
    peak, schedule = spec.optimizer.learning_rate, spec.schedule
    if step < schedule.warmup_steps:
        return peak * step / schedule.warmup_steps
    if schedule.kind == "constant":
        return peak
    last = spec.steps if schedule.decay_steps is None else schedule.decay_steps
    progress = min(1.0, (step - schedule.warmup_steps) / max(1, last - schedule.warmup_steps))
    cosine = 0.5 * (1.0 + math.cos(math.pi * progress))
    return peak * (schedule.final_ratio + (1.0 - schedule.final_ratio) * cosine)


def solved(rule: StopSpec | None, evals: Sequence[Mapping[str, float]]) -> bool:
    """Whether the last evaluations, oldest first, satisfy the rule. Raises SpecError for a metric that they lack."""
    return rule is not None and solved_at(rule, evals) is not None


def solved_at(rule: StopSpec, evals: Sequence[Mapping[str, float]]) -> int | None:
    """The step at which the final row of evaluations that reach the goal began; None if the row is too short."""
    if evals and rule.metric not in evals[-1]:
        raise SpecError(f"train.stop.metric: {rule.metric!r} is not measured; there are {', '.join(evals[-1])}")
    reached = 0
    for row in reversed(evals):
        if row[rule.metric] < rule.at_least:
            break
        reached += 1
    return int(evals[-reached]["step"]) if reached >= rule.evaluations else None
