"""A training log in memory: finite readings by kind of loss, and problems with the others."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, get_args

from stacklab.audit.reading.number import Number

Metric = Literal[
    "train",
    "batch",
    "validation",
    "train bits per byte",
    "validation bits per byte",
    "train bits per character",
    "validation bits per character",
    "train perplexity",
    "validation perplexity",
]
METRICS: tuple[Metric, ...] = get_args(Metric)
"""train: as logged beside validation; batch: a single batch that is logged apart from it (nanoGPT's `iter` lines). Both
and validation are in nats per token; measures in other units are kept apart from them."""

Unit = Literal["step", "token", "sample", "epoch", "logged point"]

LONGEST_NAME = 60

TroubleKind = Literal[
    "log-not-finite",
    "log-truncated",
    "log-damaged",
    "log-repeated",
    "log-unread",
    "log-aside",
    "log-carried",
    "log-units",
]


def unit_of(metric: Metric) -> str:
    """The unit of a measure: nats, bits per byte, bits per character or perplexity."""
    return metric.partition(" ")[2] or "nats"


class Reading(NamedTuple):
    """A value at a step, or at another place in the unit of its log."""

    step: float
    value: float


class Epoch(NamedTuple):
    """The epoch that was logged at a step, with its printed decimals."""

    step: float
    value: float
    decimals: int = 0


class Trouble(NamedTuple):
    """Something that cannot be used as it is. `line` is 0 where the file has no lines."""

    kind: TroubleKind
    line: int
    step: float | None
    what: str


def shown(text: str) -> str:
    """A name from a file made safe to print: one short line without control characters.

    >>> shown("a\\x1b[31m")
    'a?[31m'
    """
    return "".join(char if char.isprintable() else "?" for char in text.strip()[:LONGEST_NAME]) or "log"


@dataclass(frozen=True)
class Log:
    """Readings are finite and ascend in step. `arm` is shared by runs with different seeds; `seed` may be empty.

    decimals: the most that any reading of a measure was printed with; none for measures that were stored as they are.
    """

    name: str
    arm: str
    source: str
    series: Mapping[Metric, tuple[Reading, ...]]
    epochs: tuple[Epoch, ...] = ()
    planned_steps: int | None = None
    troubles: tuple[Trouble, ...] = ()
    unit: Unit = "step"
    decimals: Mapping[Metric, int] = field(default_factory=dict)
    seed: str = ""

    @property
    def last_step(self) -> float:
        return max((readings[-1].step for readings in self.series.values()), default=0)

    def half(self, metric: Metric) -> float:
        """Half a unit of the last printed digit: a reading is not known better than to plus or minus this."""
        return 0.5 * 10.0 ** -self.decimals[metric] if metric in self.decimals else 0.0

    def printed(self, metric: Metric, value: float) -> str:
        """A reading with the digits that the log has, at most 4 decimals."""
        return f"{value:.{min(4, max(0, self.decimals.get(metric, 4)))}f}"

    def at(self, step: float) -> str:
        """A place in the log, in words: `step 1,500`, `epoch 2`."""
        return f"{self.unit} {step:,}"


@dataclass
class LogBuilder:
    """Collects the readings of one log. A step that is logged again with another value replaces its reading."""

    name: str
    source: str
    arm: str = ""
    unit: Unit = "step"
    planned_steps: int | None = None
    readings: dict[Metric, dict[float, float]] = field(default_factory=dict)
    decimals: dict[Metric, int] = field(default_factory=dict)
    epochs: dict[float, Epoch] = field(default_factory=dict)
    troubles: list[Trouble] = field(default_factory=list)

    def add(self, metric: Metric, step: float, number: Number, *, line: int, within: bool = False) -> None:
        """within: another micro-batch of a step may come again."""
        value, decimals = number
        name = metric if " " in metric else f"{metric} loss"
        if not math.isfinite(value):
            self.troubles.append(Trouble("log-not-finite", line, step, f"{name} is {value}"))
            return
        column = self.readings.setdefault(metric, {})
        if column.get(step, value) != value and not within:
            self.troubles.append(Trouble("log-repeated", line, step, f"{name} was logged before"))
        column[step] = value
        if decimals is not None:
            self.decimals[metric] = max(decimals, self.decimals.get(metric, decimals))

    @property
    def empty(self) -> bool:
        return not self.readings and not self.troubles

    def build(self) -> Log:
        series = {
            metric: tuple(Reading(step, self.readings[metric][step]) for step in sorted(self.readings[metric]))
            for metric in METRICS
            if self.readings.get(metric)
        }
        return Log(
            name=shown(self.name),
            arm=shown(self.arm or self.name),
            source=self.source,
            series=series,
            epochs=tuple(self.epochs[step] for step in sorted(self.epochs)),
            planned_steps=self.planned_steps,
            troubles=tuple(self.troubles),
            unit=self.unit,
            decimals=self.decimals,
        )


class Common(NamedTuple):
    """Two logs at the steps that both have. half: a difference is not known better than to plus or minus this."""

    steps: tuple[float, ...]
    first: tuple[float, ...]
    second: tuple[float, ...]
    half: float = 0.0


def at_common_steps(first: Log, second: Log, metric: Metric) -> Common:
    """The two logs at the steps that have this loss in both. None where they count in different units."""
    if first.unit != second.unit:
        return Common((), (), ())
    left, right = dict(first.series.get(metric, ())), dict(second.series.get(metric, ()))
    steps = tuple(sorted(left.keys() & right.keys()))
    half = first.half(metric) + second.half(metric)
    return Common(steps, tuple(left[step] for step in steps), tuple(right[step] for step in steps), half)
