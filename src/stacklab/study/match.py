"""Matched controls: solve one knob so that a quantity equals another arm's."""

import math
from typing import NamedTuple

from stacklab.base.errors import MatchError
from stacklab.base.search import smallest
from stacklab.model.count import QUANTITIES, measure
from stacklab.model.spec import ModelSpec
from stacklab.study.spec import MatchSpec

LARGEST_KNOB = 2**24


class Match(NamedTuple):
    """A solved control. `residual` is (its quantity - the target) / the target."""

    model: ModelSpec
    value: int
    residual: float


def solve(match: MatchSpec, model: ModelSpec, target: int, *, context: int) -> Match:
    """The nearest solution, which is unique up to ties because every quantity grows with every knob.

    Raises MatchError when none lies within the tolerance, naming the two nearest.
    """
    field = match.knob.removeprefix("model.")
    step = grain(match, model)
    reached = smallest(
        lambda n: _quantity(match, model, field, n * step, context) >= target, limit=LARGEST_KNOB // step
    )
    if reached is None:
        raise MatchError(f"match: {match.knob} would exceed {LARGEST_KNOB} to reach {match.quantity} = {target:,}")
    candidates = [
        _candidate(match, model, field, n * step, target, context) for n in sorted({max(1, reached - 1), reached})
    ]
    best = min(candidates, key=lambda found: abs(found.residual))
    if abs(best.residual) > match.tolerance:
        near = " and ".join(f"{found.value} ({found.residual:+.2%})" for found in candidates)
        raise MatchError(
            f"match: no {match.knob} in multiples of {step} brings {match.quantity} within {match.tolerance:.2%} of "
            f"{target:,}; nearest: {near}; widen the tolerance or match another knob"
        )
    return best


def grain(match: MatchSpec, model: ModelSpec) -> int:
    """The smallest step the knob can move by."""
    if match.knob != "model.d_model":
        return match.multiple_of
    return math.lcm(match.multiple_of, *(layer.num_heads for layer in model.layers))


def unmatched(model: ModelSpec, like: ModelSpec, *, context: int) -> dict[str, float]:
    """All conventions side by side, since they disagree: each quantity relative to the other arm's."""
    return {
        name: measure(model, name, context=context) / measure(like, name, context=context) - 1 for name in QUANTITIES
    }


def _candidate(match: MatchSpec, model: ModelSpec, field: str, value: int, target: int, context: int) -> Match:
    quantity = _quantity(match, model, field, value, context)
    return Match(with_knob(model, field, value), value, (quantity - target) / target)


def _quantity(match: MatchSpec, model: ModelSpec, field: str, value: int, context: int) -> int:
    return measure(with_knob(model, field, value), match.quantity, context=context)


def with_knob(model: ModelSpec, field: str, value: int) -> ModelSpec:
    return ModelSpec.model_validate(model.dump() | {field: value})
