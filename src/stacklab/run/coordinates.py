"""The coordinate check as plain values: which stacks it compares, what it read, how that grows. No torch here."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from pydantic import ValidationError

from stacklab.base.errors import SpecError
from stacklab.model.spec import ModelSpec, MupSpec, Parametrisation, StandardSpec
from stacklab.stats.describe import mean_t
from stacklab.stats.fits.power_law import power
from stacklab.stats.result import Result, Undefined

Knob = Literal["d_model", "num_layers"]
Kind = Literal["standard", "mup"]
KINDS: tuple[Kind, ...] = ("standard", "mup")
Measured = Literal["size", "change"]

LOGITS = "logits"
TOLERANCE = 0.2
"""A power within this is flat: 15 % more for twice the size. Seeds scatter by half of it at widths under 100, and what
a wrong rule leaves over is a power of 0.5 or 1."""


class Reading(NamedTuple):
    """One part of one stack after `step` steps: mean absolute value of its output, and of what training changed."""

    kind: Kind
    value: int
    seed: int
    step: int
    part: str
    size: float
    change: float


class Sweep(NamedTuple):
    """All readings of stacks that differ in `knob`, which took `values`."""

    knob: Knob
    values: tuple[int, ...]
    seeds: tuple[int, ...]
    steps: int
    readings: tuple[Reading, ...]

    def parts(self) -> tuple[str, ...]:
        """Those that stacks of every size have, in order; over depths, a block within is not the same part."""
        names = tuple(dict.fromkeys(reading.part for reading in self.readings))
        return names if self.knob == "d_model" else without_blocks(names)

    def series(self, kind: Kind, part: str, step: int, measured: Measured, seed: int) -> tuple[float, ...]:
        """What was measured, by value of the knob."""
        found = {
            reading.value: getattr(reading, measured)
            for reading in self.readings
            if (reading.kind, reading.part, reading.step, reading.seed) == (kind, part, step, seed)
        }
        return tuple(found[value] for value in self.values)

    def growth(self, kind: Kind, part: str, measured: Measured) -> "Growth":
        """After the last step."""
        powers = [power(self.values, self.series(kind, part, self.steps, measured, seed)) for seed in self.seeds]
        known = [found for found in powers if not isinstance(found, Undefined)]
        lacking = [found for found in powers if isinstance(found, Undefined)]
        return Growth(None if lacking else sum(known) / len(known), lacking[0] if lacking else mean_t(known))


def without_blocks(parts: Sequence[str]) -> tuple[str, ...]:
    """The parts, less the stream after each block within the stack."""
    return tuple(part for part in parts if not part.startswith("after block "))


class Growth(NamedTuple):
    """The power of the knob with which something grows: mean over seeds, None where a seed has none; its interval."""

    mean: float | None
    interval: Result


def tendency(part: str, size: Growth, change: Growth) -> str:
    """Whether a part keeps its size over the sweep: flat, grows, shrinks, or not finite.

    Judged are the outputs and what training changed in them. Of logits only the latter: under maximal-update
    parametrisation they start out small in wide stacks, and training makes up for it.
    """
    judged = [change.mean] if part == LOGITS else [size.mean, change.mean]
    known = [found for found in judged if found is not None]
    if len(known) < len(judged):
        return "not finite"
    furthest = max(known, key=abs)
    if abs(furthest) <= TOLERANCE:
        return "flat"
    return "grows" if furthest > 0 else "shrinks"


def variants(model: ModelSpec, knob: Knob, values: Sequence[int]) -> dict[tuple[Kind, int], ModelSpec]:
    """The stack with every value of the knob under both parametrisations; heads stay as many as they are.

    A stack that is not parametrised by mup gets it with the smallest value as the base. Raises SpecError for fewer than
    two values, one given twice or below 1, a d_ff of its own (the check needs one that follows the width) and a value
    that does not fit the other settings.
    """
    option = "--widths" if knob == "d_model" else "--depths"
    given = ",".join(map(str, values))
    if len(set(values)) < max(2, len(values)) or min(values) < 1:
        raise SpecError(f"{option} {given}: expected two different positive numbers or more")
    if knob == "d_model" and model.d_ff is not None:
        raise SpecError(f"{option}: model.d_ff = {model.d_ff} would stay as the width grows; give model.d_ff=null")
    scaled = _mup(model, knob, min(values))
    kinds: dict[Kind, Parametrisation] = {"standard": StandardSpec(), "mup": scaled}
    found: dict[tuple[Kind, int], ModelSpec] = {}
    for kind in KINDS:
        for value in sorted(values):
            tree = model.dump() | {knob: value, "parametrisation": kinds[kind].dump()}
            try:
                found[kind, value] = ModelSpec.model_validate(tree)
            except ValidationError as error:
                message = error.errors()[0]["msg"].removeprefix("Value error, ")
                raise SpecError(f"{option} {value}: {message}") from error
    return found


def _mup(model: ModelSpec, knob: Knob, smallest: int) -> MupSpec:
    if isinstance(model.parametrisation, MupSpec):
        return model.parametrisation
    if knob == "d_model":
        return MupSpec(base_d_model=smallest)
    return MupSpec(base_d_model=model.d_model, base_num_layers=smallest)
