"""A training log in memory: finite readings by kind of loss, and problems with the others."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

Metric = Literal["train", "batch", "validation"]
METRICS: tuple[Metric, ...] = ("train", "batch", "validation")
"""train: as logged beside validation; batch: a single batch that is logged apart from it (nanoGPT's `iter` lines)."""

LONGEST_NAME = 60

TroubleKind = Literal["log-not-finite", "log-truncated", "log-damaged", "log-repeated"]


class Reading(NamedTuple):
    step: int
    value: float


class Trouble(NamedTuple):
    """Something that cannot be used as it is. `line` is 0 where the file has no lines."""

    kind: TroubleKind
    line: int
    step: int | None
    what: str


def shown(text: str) -> str:
    """A name from a file made safe to print: one short line without control characters.

    >>> shown("a\\x1b[31m")
    'a?[31m'
    """
    return "".join(char if char.isprintable() else "?" for char in text.strip()[:LONGEST_NAME]) or "log"


@dataclass(frozen=True)
class Log:
    """Readings are finite and ascend in step. `arm` is shared by runs with different seeds; `seed` may be empty."""

    name: str
    arm: str
    source: str
    series: Mapping[Metric, tuple[Reading, ...]]
    epochs: tuple[tuple[int, int], ...] = ()
    planned_steps: int | None = None
    troubles: tuple[Trouble, ...] = ()
    seed: str = ""

    @property
    def last_step(self) -> int:
        return max((readings[-1].step for readings in self.series.values()), default=0)


@dataclass
class LogBuilder:
    """Collects the readings of one log. A step that is logged again replaces its reading."""

    name: str
    source: str
    arm: str = ""
    planned_steps: int | None = None
    readings: dict[Metric, dict[int, float]] = field(default_factory=dict)
    epochs: dict[int, int] = field(default_factory=dict)
    troubles: list[Trouble] = field(default_factory=list)

    def add(self, metric: Metric, step: int, value: float, *, line: int) -> None:
        if not math.isfinite(value):
            self.troubles.append(Trouble("log-not-finite", line, step, f"{metric} loss is {value}"))
            return
        column = self.readings.setdefault(metric, {})
        if step in column:
            self.troubles.append(Trouble("log-repeated", line, step, f"{metric} loss was logged before"))
        column[step] = value

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
            epochs=tuple(sorted(self.epochs.items())),
            planned_steps=self.planned_steps,
            troubles=tuple(self.troubles),
        )


class Common(NamedTuple):
    """Two logs at the steps that both have."""

    steps: tuple[int, ...]
    first: tuple[float, ...]
    second: tuple[float, ...]


def at_common_steps(first: Log, second: Log, metric: Metric) -> Common:
    """The two logs at the steps that have this loss in both."""
    left, right = dict(first.series.get(metric, ())), dict(second.series.get(metric, ()))
    steps = tuple(sorted(left.keys() & right.keys()))
    return Common(steps, tuple(left[step] for step in steps), tuple(right[step] for step in steps))
