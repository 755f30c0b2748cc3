"""Logs as delimited text: a column of steps, columns of losses, perhaps columns that name the run."""

import csv
from collections.abc import Sequence
from typing import NamedTuple

from stacklab.audit.reading.build import build_log
from stacklab.audit.reading.entry import Count, Counter, Entry, Row
from stacklab.audit.reading.log import Log, Metric, Trouble
from stacklab.audit.reading.names import ABSENT, RUN_NAMES, count_of, counter_of, run_and_metric, words_of
from stacklab.audit.reading.number import Number, read_value
from stacklab.base.errors import DataError

DELIMITERS = ",;\t"
LONGEST_HEADER = 100_000


class Losses(NamedTuple):
    column: int
    run: str
    metric: Metric


class TableHeader(NamedTuple):
    """apart: names of columns of losses that another column stands for."""

    delimiter: str
    width: int
    counters: dict[Counter, int]
    losses: tuple[Losses, ...]
    run: int | None
    seed: int | None
    apart: tuple[str, ...]


def parse_header(line: str) -> TableHeader | None:
    """None unless the line names a counter and at least one loss. A header is not longer than LONGEST_HEADER."""
    if len(line) > LONGEST_HEADER:
        return None
    for delimiter in DELIMITERS:
        cells = [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter), [])]
        lower = [cell.lower() for cell in cells]
        counters: dict[Counter, int] = {}
        # The optimiser's own step comes before a tracker's count of its calls.
        for index in sorted(range(len(cells)), key=lambda index: "global" not in words_of(cells[index])):
            counter = counter_of(cells[index])
            if counter is not None:
                counters.setdefault(counter, index)
        losses: dict[tuple[str, Metric], int] = {}
        apart = []
        # A loss of every step comes before its mean over an epoch.
        for index in sorted(range(len(cells)), key=lambda index: "epoch" in words_of(cells[index])):
            run, metric = run_and_metric(cells[index])
            if metric is not None and losses.setdefault((run, metric), index) != index:
                apart.append(cells[index])
        if len(cells) > 1 and counters and losses:
            run_column = next((lower.index(name) for name in RUN_NAMES if name in lower), None)
            seed = lower.index("seed") if "seed" in lower else None
            named = tuple(sorted(Losses(index, run, metric) for (run, metric), index in losses.items()))
            return TableHeader(delimiter, len(cells), counters, named, run_column, seed, tuple(apart))
    return None


def read_table(lines: Sequence[tuple[int, str]], header: TableHeader, *, source: str, stem: str) -> list[Log]:
    """One log per run. `lines` begin after the header. A short last row is a truncated one.

    Raises DataError naming file, line and column for a cell that is no number and for a row of the wrong width.
    """
    runs: dict[tuple[str, str], list[Row]] = {}
    troubles = [Trouble("log-units", 0, None, f"the column {name!r} is kept apart") for name in header.apart]
    lines = [(number, line) for number, line in lines if line.strip()]
    for number, line in lines:
        cells = _cells(line, header, where=f"{source}:{number}")
        if len(cells) < header.width and number == lines[-1][0]:
            troubles.append(Trouble("log-truncated", number, None, "the row breaks off and is left out"))
            break
        if len(cells) != header.width:
            raise DataError(f"{source}:{number}: {len(cells)} cells, expected {header.width} as in the header")
        for key, entry in _entries(cells, header, where=f"{source}:{number}").items():
            runs.setdefault((key[0] or stem, key[1]), []).append(Row(number, entry))
    last = next(reversed(runs), None)
    return [
        build_log(
            rows,
            name=f"{key[0]} seed {key[1]}" if key[1] else key[0],
            arm=key[0],
            source=source,
            troubles=troubles if key == last else (),
        )
        for key, rows in runs.items()
    ]


def _cells(line: str, header: TableHeader, *, where: str) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=header.delimiter))]
    except csv.Error as error:
        raise DataError(f"{where}: not a row of delimited text ({error})") from error


def _entries(cells: Sequence[str], header: TableHeader, *, where: str) -> dict[tuple[str, str], Entry]:
    """The entry of each run in a row, by arm and seed."""
    counters: dict[Counter, Count] = {}
    for counter, column in header.counters.items():
        count = count_of(counter, cells[column])
        if count is not None:
            counters[counter] = count
        elif cells[column].lower() not in ABSENT:
            _number(cells[column], header, where=f"{where}: {counter}")
            raise DataError(f"{where}: {counter}: expected a whole number from 0, got {cells[column]!r}")
    arm = cells[header.run] if header.run is not None else ""
    seed = cells[header.seed] if header.seed is not None else ""
    losses: dict[str, dict[Metric, Number]] = {}
    for column, run, metric in header.losses:
        number = _number(cells[column], header, where=f"{where}: column {column + 1}")
        if number is not None:
            losses.setdefault(" ".join(part for part in (arm, run) if part), {})[metric] = number
    if losses and not counters:
        raise DataError(f"{where}: no step beside the losses")
    return {(run, seed): Entry(counters=counters, losses=values) for run, values in losses.items()}


def _number(cell: str, header: TableHeader, *, where: str) -> Number | None:
    """None for an empty cell. Raises DataError for text, and for a number that can be read in two ways."""
    if cell.lower() in ABSENT:
        return None
    number = read_value(cell, comma=header.delimiter == ";")
    if number is None:
        raise DataError(f"{where}: expected a number, got {cell[:40]!r}")
    return number
