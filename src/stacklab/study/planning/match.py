"""Matched controls: one knob is solved so that a quantity equals another arm's."""

import math
from collections.abc import Callable
from typing import NamedTuple

from stacklab.base.errors import MatchError
from stacklab.base.search import smallest
from stacklab.base.spec import LARGEST, Spec
from stacklab.base.units import duration
from stacklab.model.count import QUANTITIES, measure
from stacklab.model.spec import MOST_LAYERS, ModelSpec
from stacklab.study.spec.study import BaseSpec, MatchSpec


class StepTimes(Spec):
    """The measurement behind a match of step times: medians in seconds over rounds that timed both arms in turn."""

    target_seconds: float
    seconds: float
    rounds: int
    threads: int
    processor: str

    def text(self) -> str:
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        return (
            f"{duration(self.seconds)} a step against {duration(self.target_seconds)}, medians of {self.rounds} rounds "
            f"in turn, {threads} of {self.processor}"
        )


class Match(NamedTuple):
    """A solved control. `residual` is (its quantity - the target) / the target."""

    model: ModelSpec
    value: int
    residual: float
    times: StepTimes | None = None


TimeSolver = Callable[[MatchSpec, BaseSpec, BaseSpec], Match]
"""(match, control with its knob still free, target) -> the control solved by measured time."""


def solve(match: MatchSpec, model: ModelSpec, target: int, *, context: int) -> Match:
    """The nearest solution of a counted quantity, unique up to ties because each grows with every knob.

    Raises MatchError when none lies within the tolerance, naming the two nearest.
    """
    quantity, step = match.quantity, grain(match, model)
    assert quantity != "step_seconds", "measured, not counted: see stacklab.study.planning.match_step_time"
    if target == 0:
        raise MatchError(f"match: {quantity} of {match.to} is 0; match another quantity")

    def candidate(number: int) -> Match:
        solved = with_knob(match, model, number * step)
        return Match(solved, number * step, (measure(solved, quantity, context=context) - target) / target)

    reached = first_reaching(match, model, lambda number: candidate(number).residual >= 0)
    candidates = [candidate(number) for number in sorted({max(1, reached - 1), reached})]
    best = min(candidates, key=lambda one: abs(one.residual))
    if abs(best.residual) > match.allowed:
        near = " and ".join(f"{one.value} ({one.residual:+.2%})" for one in candidates)
        raise MatchError(
            f"match: no {match.knob} in multiples of {step} brings {quantity} within {match.allowed:.2%} of "
            f"{target:,}; nearest: {near}; widen the tolerance or match another knob"
        )
    return best


def grain(match: MatchSpec, model: ModelSpec) -> int:
    """The smallest step of the knob."""
    if match.knob != "model.d_model":
        return match.multiple_of
    return math.lcm(match.multiple_of, model.width_step)


def most_steps(match: MatchSpec, model: ModelSpec) -> int:
    """The largest value of the knob, in grains."""
    return _largest(match) // grain(match, model)


def _largest(match: MatchSpec) -> int:
    """The largest value that a stack may have."""
    return MOST_LAYERS if match.knob == "model.num_layers" else LARGEST


def first_reaching(match: MatchSpec, model: ModelSpec, holds: Callable[[int], bool]) -> int:
    """The smallest number of grains for which `holds`. Raises MatchError when there is none."""
    reached = smallest(holds, limit=most_steps(match, model))
    if reached is None:
        raise MatchError(
            f"match: {match.knob} would exceed {_largest(match)} to reach the {match.quantity} of {match.to}"
        )
    return reached


def with_knob(match: MatchSpec, model: ModelSpec, value: int) -> ModelSpec:
    return ModelSpec.model_validate(model.dump() | {match.knob.removeprefix("model."): value})


def unmatched(model: ModelSpec, like: ModelSpec, *, context: int) -> dict[str, float]:
    """Every counted quantity relative to that of `like`, minus 1: the conventions of equal size disagree."""
    return {
        name: measure(model, name, context=context) / measure(like, name, context=context) - 1 for name in QUANTITIES
    }
