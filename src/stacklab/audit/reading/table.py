"""Logs as delimited text: a column of steps, columns of losses, perhaps columns that name the run."""

import csv
from collections.abc import Sequence
from typing import NamedTuple

from stacklab.audit.reading.log import Log, LogBuilder, Metric, Trouble
from stacklab.audit.reading.names import STEP_NAMES, run_and_metric
from stacklab.base.errors import DataError

DELIMITERS = ",;\t"
RUN_NAMES = ("arm", "run", "model", "name", "experiment")
LARGEST_STEP = 10**15


class Losses(NamedTuple):
    column: int
    run: str
    metric: Metric


class Header(NamedTuple):
    delimiter: str
    width: int
    step: int
    losses: tuple[Losses, ...]
    run: int | None
    seed: int | None
    epoch: int | None


def parse_header(line: str) -> Header | None:
    """None unless the line names a column of steps and at least one of losses."""
    for delimiter in DELIMITERS:
        cells = [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter), [])]
        lower = [cell.lower() for cell in cells]
        step = next((index for index, cell in enumerate(lower) if cell in STEP_NAMES), None)
        if step is None or len(cells) < 2:
            continue
        named = {index: run_and_metric(cell) for index, cell in enumerate(cells) if index != step}
        losses = tuple(Losses(index, run, metric) for index, (run, metric) in named.items() if metric is not None)
        if losses:
            run_column = next((lower.index(name) for name in RUN_NAMES if name in lower), None)
            seed = lower.index("seed") if "seed" in lower else None
            epoch = lower.index("epoch") if "epoch" in lower else None
            return Header(delimiter, len(cells), step, losses, run_column, seed, epoch)
    return None


def read_table(lines: Sequence[tuple[int, str]], header: Header, *, source: str, stem: str) -> list[Log]:
    """One log per run. `lines` begin after the header. A short last row is a truncated one.

    Raises DataError naming file, line and column for a cell that is no number and for a row of the wrong width.
    """
    builders: dict[tuple[str, str], LogBuilder] = {}
    lines = [(number, line) for number, line in lines if line.strip()]
    for number, line in lines:
        cells = _cells(line, header, where=f"{source}:{number}")
        if len(cells) < header.width and number == lines[-1][0]:
            if builders:
                what = "the row breaks off and is left out"
                next(reversed(builders.values())).troubles.append(Trouble("log-truncated", number, None, what))
            break
        if len(cells) != header.width:
            raise DataError(f"{source}:{number}: {len(cells)} cells, expected {header.width} as in the header")
        _take(cells, header, builders, number, source=source, stem=stem)
    return [builder.build() for builder in builders.values() if not builder.empty]


def _cells(line: str, header: Header, *, where: str) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=header.delimiter))]
    except csv.Error as error:
        raise DataError(f"{where}: not a row of delimited text ({error})") from error


def _take(
    cells: list[str],
    header: Header,
    builders: dict[tuple[str, str], LogBuilder],
    line: int,
    *,
    source: str,
    stem: str,
) -> None:
    where = f"{source}:{line}"
    step = _number(cells[header.step], where=f"{where}: step")
    if step is None or not 0 <= step <= LARGEST_STEP or step != int(step):
        raise DataError(f"{where}: step: expected a whole number from 0, got {cells[header.step]!r}")
    arm = cells[header.run] if header.run is not None else ""
    seed = cells[header.seed] if header.seed is not None else ""
    for column, run, metric in header.losses:
        value = _number(cells[column], where=f"{where}: column {column + 1}")
        if value is None:
            continue
        key = (" ".join(part for part in (arm, run) if part) or stem, seed)
        name = f"{key[0]} seed {seed}" if seed else key[0]
        builder = builders.setdefault(key, LogBuilder(name=name, arm=key[0], source=source))
        builder.add(metric, int(step), value, line=line)
        if header.epoch is not None and cells[header.epoch].isdecimal():
            builder.epochs[int(step)] = int(cells[header.epoch])


def _number(cell: str, *, where: str) -> float | None:
    """None for an empty cell. Raises DataError for text."""
    if not cell:
        return None
    try:
        return float(cell)
    except ValueError:
        raise DataError(f"{where}: expected a number, got {cell[:40]!r}") from None
