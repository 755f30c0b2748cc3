"""Where the rows of a log stand: one unit for all of them, whatever counters the lines print."""

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from stacklab.audit.reading.entry import COUNTERS, Counter, Entry, Row
from stacklab.audit.reading.log import Epoch, LogBuilder, Metric, Trouble, Unit
from stacklab.audit.reading.number import Number

UNITS: dict[Counter, Unit] = {
    "step": "step",
    "iter": "step",
    "batch": "step",
    "token": "token",
    "sample": "sample",
    "epoch": "epoch",
}

Losses = Mapping[Metric, Number]


class Scale(NamedTuple):
    """counter: the unit of the log. per_epoch: its length where it restarts with every epoch. first_epoch: 0 or 1.

    ratio: micro-batches of a step, where lines print both; 0 where they fit no whole number, None without such lines.
    """

    counter: Counter
    per_epoch: int | None
    first_epoch: int
    ratio: int | None

    def place(self, entry: Entry) -> float | None:
        """None where the entry does not print the unit and nothing converts what it prints."""
        count = entry.counters.get(self.counter)
        if count is not None:
            epoch = entry.counters.get("epoch")
            if self.per_epoch is None or epoch is None:
                return count.value
            return (epoch.value - self.first_epoch) * self.per_epoch + count.value
        other = entry.counters.get("iter")
        if other is None or self.counter != "step":
            return None
        if self.ratio is None:
            return other.value
        return other.value // self.ratio if self.ratio else None


def unit_counter(rows: Sequence[Row]) -> Counter | None:
    """The first of COUNTERS that a row with losses has."""
    present = {counter for row in rows if row.entry.losses for counter in row.entry.counters}
    return next((counter for counter in COUNTERS if counter in present), None)


def place_rows(rows: Sequence[Row], builder: LogBuilder) -> Iterator[tuple[Row, float, Losses]]:
    """Each row with its place and the losses that belong there. Sets the builder's unit and planned steps.

    A row without a counter stands where the last one does. So does one that prints nothing but the epoch in a log of
    steps: its validation counts there, its training loss is a mean over the epoch and is kept apart.
    """
    counter = unit_counter(rows)
    if counter is None or (counter == "epoch" and not _one_per_epoch(rows)):
        builder.unit = "logged point"
        yield from _points(rows)
        return
    builder.unit = UNITS[counter]
    scale = _scale(rows, counter)
    builder.planned_steps = _planned(rows, scale)
    if scale.per_epoch is not None:
        what = f"the {counter} restarts with every epoch and is counted on by {scale.per_epoch:,}"
        builder.troubles.append(Trouble("log-units", rows[0].line, None, what))
    last = 0.0
    for row in rows:
        losses: Losses = row.entry.losses
        place = scale.place(row.entry)
        if place is None and row.entry.counters.keys() <= {"epoch"}:
            place = last
            if row.entry.counters and (means := [metric for metric in losses if not metric.startswith("validation")]):
                losses = {metric: number for metric, number in losses.items() if metric not in means}
                builder.troubles.append(Trouble("log-units", row.line, None, f"{means[0]} loss of a whole epoch"))
        if place is None:
            what = f"the line counts in another unit than the {counter} of the others"
            builder.troubles.append(Trouble("log-unread", row.line, None, what))
            continue
        place = last = int(place) if place == int(place) else place
        epoch = row.entry.counters.get("epoch")
        if epoch is not None and builder.unit == "step" and scale.per_epoch is None and counter in row.entry.counters:
            builder.epochs[place] = Epoch(place, epoch.value, epoch.decimals)
        yield row, place, losses


def _scale(rows: Sequence[Row], counter: Counter) -> Scale:
    epochs = [row.entry.counters["epoch"].value for row in rows if "epoch" in row.entry.counters]
    return Scale(counter, _per_epoch(rows, counter), int(min(epochs, default=0) >= 1), _ratio(rows))


def _planned(rows: Sequence[Row], scale: Scale) -> int | None:
    totals = [row.entry.counters[scale.counter].total for row in rows if scale.counter in row.entry.counters]
    planned = next((total for total in reversed(totals) if total), None)
    if scale.per_epoch is None:
        return planned
    epochs = [row.entry.counters["epoch"].total for row in rows if "epoch" in row.entry.counters]
    most = next((total for total in reversed(epochs) if total), None)
    return most * scale.per_epoch if most else None


def _per_epoch(rows: Sequence[Row], counter: Counter) -> int | None:
    """Steps of an epoch where the counter falls as the epoch rises: as printed (`10/300`), else as far as it gets."""
    if counter == "epoch":
        return None
    both = [row.entry.counters for row in rows if {counter, "epoch"} <= row.entry.counters.keys()]
    falls = (b["epoch"].value > a["epoch"].value and b[counter].value < a[counter].value for a, b in pairwise(both))
    if not any(falls) or not all(counters["epoch"].value.is_integer() for counters in both):
        return None
    totals = {counters[counter].total for counters in both} - {None}
    if len(totals) == 1 and (total := totals.pop()):
        return total
    values = [counters[counter].value for counters in both]
    spacings = [b - a for a, b in pairwise(values) if b > a]
    return int(max(values) - min(values) + statistics.mode(spacings)) if spacings else None


def _ratio(rows: Sequence[Row]) -> int | None:
    """The whole number r for which every line that prints both has step = iter / r, else step = floor(iter / r)."""
    both = [row.entry.counters for row in rows if {"step", "iter"} <= row.entry.counters.keys()]
    if not both:
        return None
    counts = [(counters["iter"].value, counters["step"].value) for counters in both]
    exact = {iteration / step if step else 0.0 for iteration, step in counts}
    if len(counts) > 1 and len(exact) == 1 and (ratio := exact.pop()).is_integer():
        return int(ratio)
    above = max(iteration / (step + 1) for iteration, step in counts)
    high = min((iteration / step for iteration, step in counts if step), default=0.0)
    fits = range(math.floor(above) + 1, min(math.floor(high), math.floor(above) + 2) + 1)
    return fits[0] if len(fits) == 1 else 0


def _one_per_epoch(rows: Sequence[Row]) -> bool:
    """Whether epochs are whole and each has one reading of a kind."""
    seen = [
        (row.entry.counters["epoch"].value, metric)
        for row in rows
        if "epoch" in row.entry.counters
        for metric in row.entry.losses
    ]
    return len(seen) == len(set(seen)) and all(epoch.is_integer() for epoch, _ in seen)


def _points(rows: Sequence[Row]) -> Iterator[tuple[Row, float, Losses]]:
    """Training losses are counted from 1; a validation loss stands at the training loss before it."""
    trains = [any(not metric.startswith("validation") for metric in row.entry.losses) for row in rows]
    point = 0
    for row, train in zip(rows, trains, strict=True):
        point += train or not any(trains)
        yield row, point, row.entry.losses
