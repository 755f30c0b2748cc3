"""The coordinate check as plain values: its stacks, its readings, and how these grow. No torch here."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from pydantic import ValidationError

from stacklab.base.errors import SpecError
from stacklab.model.spec import ModelSpec, MupSpec, Parametrisation, StandardSpec
from stacklab.stats.describe import mean_t, power
from stacklab.stats.result import Result, Undefined

Knob = Literal["d_model", "num_layers"]
Kind = Literal["standard", "mup"]
KINDS: tuple[Kind, ...] = ("standard", "mup")
Measured = Literal["size", "change"]

LOGITS = "logits"
TOLERANCE = 0.2
"""Powers within this count as flat: 15 % more for twice the size. Seeds scatter by half of it at widths under 100; a
wrong rule leaves a power of 0.5 or 1."""


class Reading(NamedTuple):
    """One part of one stack after `step` steps: mean absolute value of its output, and of the change by
    training."""

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
        """The parts of stacks of every size, in order; over depths, without the blocks within the stack."""
        names = tuple(dict.fromkeys(reading.part for reading in self.readings))
        return names if self.knob == "d_model" else without_blocks(names)

    def series(self, kind: Kind, part: str, step: int, measured: Measured, seed: int) -> tuple[float, ...]:
        """The measured quantity, by value of the knob."""
        by_value = {
            reading.value: getattr(reading, measured)
            for reading in self.readings
            if (reading.kind, reading.part, reading.step, reading.seed) == (kind, part, step, seed)
        }
        return tuple(by_value[value] for value in self.values)

    def growth(self, kind: Kind, part: str, measured: Measured) -> "Growth":
        """Growth after the last step."""
        powers = [power(self.values, self.series(kind, part, self.steps, measured, seed)) for seed in self.seeds]
        defined = [each for each in powers if not isinstance(each, Undefined)]
        undefined = [each for each in powers if isinstance(each, Undefined)]
        return Growth(
            None if undefined else sum(defined) / len(defined), undefined[0] if undefined else mean_t(defined)
        )


def without_blocks(parts: Sequence[str]) -> tuple[str, ...]:
    """The parts without the stream after each block within the stack."""
    return tuple(part for part in parts if not part.startswith("after block "))


class Growth(NamedTuple):
    """The power of the knob with which a quantity grows: its mean over seeds (None where undefined for a seed), and its
    interval."""

    mean: float | None
    interval: Result


def tendency(part: str, size: Growth, change: Growth) -> str:
    """Whether a part keeps its size over the sweep: flat, grows, shrinks, or not finite.

    Judged by the outputs and their change by training; for logits by their change alone, since under maximal-update
    parametrisation they start small in wide stacks and training makes up for it.
    """
    judged = [change.mean] if part == LOGITS else [size.mean, change.mean]
    finite = [power for power in judged if power is not None]
    if len(finite) < len(judged):
        return "not finite"
    furthest = max(finite, key=abs)
    if abs(furthest) <= TOLERANCE:
        return "flat"
    return "grows" if furthest > 0 else "shrinks"


def variants(model: ModelSpec, knob: Knob, values: Sequence[int]) -> dict[tuple[Kind, int], ModelSpec]:
    """The stack with every value of the knob under both parametrisations; the number of heads stays.

    For a stack without mup, the smallest value is the base. Raises SpecError for fewer than two values, a value that is
    repeated or below 1, a fixed d_ff (it must follow the width), and a value that does not fit the other settings.
    """
    option = "--widths" if knob == "d_model" else "--depths"
    listed = ",".join(map(str, values))
    if len(set(values)) < max(2, len(values)) or min(values) < 1:
        raise SpecError(f"{option} {listed}: expected two different positive numbers or more")
    if knob == "d_model" and model.d_ff is not None:
        raise SpecError(f"{option}: model.d_ff = {model.d_ff} would stay as the width grows; set model.d_ff=null")
    scaled = _mup(model, knob, min(values))
    kinds: dict[Kind, Parametrisation] = {"standard": StandardSpec(), "mup": scaled}
    stacks: dict[tuple[Kind, int], ModelSpec] = {}
    for kind in KINDS:
        for value in sorted(values):
            tree = model.dump() | {knob: value, "parametrisation": kinds[kind].dump()}
            try:
                stacks[kind, value] = ModelSpec.model_validate(tree)
            except ValidationError as error:
                message = error.errors()[0]["msg"].removeprefix("Value error, ")
                raise SpecError(f"{option} {value}: {message}") from error
    return stacks


def _mup(model: ModelSpec, knob: Knob, smallest: int) -> MupSpec:
    if isinstance(model.parametrisation, MupSpec):
        return model.parametrisation
    if knob == "d_model":
        return MupSpec(base_d_model=smallest)
    return MupSpec(base_d_model=model.d_model, base_num_layers=smallest)
