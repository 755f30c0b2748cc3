"""Whether and when a run has reached the goal of its stop rule."""

from collections.abc import Mapping, Sequence

from stacklab.base.errors import SpecError
from stacklab.train.spec import StopSpec


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
