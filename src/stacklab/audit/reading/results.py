"""The table that an automatic research loop keeps, such as autoresearch's results.tsv: a row per tried change."""

import csv
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from stacklab.audit.reading.log import shown
from stacklab.base.errors import DataError

Status = Literal["keep", "discard", "crash", "rerun"]
STATUSES: dict[str, Status] = {
    **dict.fromkeys(("keep", "kept", "baseline"), "keep"),
    **dict.fromkeys(("discard", "discarded", "revert", "reverted", "reject", "rejected"), "discard"),
    **dict.fromkeys(("crash", "crashed", "error", "fail", "failed", "timeout", "oom", "blocked", "skipped"), "crash"),
    **dict.fromkeys(("rerun", "repeat", "verify"), "rerun"),
}
METRICS = ("val_bpb", "val_loss", "validation_loss", "eval_loss", "bpb", "loss")
"""Columns that are better when lower, in the order of preference."""
ABSENT = frozenset({"", "-", "na", "n/a", "nan", "none", "null", "inf"})
LONGEST_HEADER = 2_000
AGAIN = re.compile(
    r"\b(?:re-?runs?|again|repeat\w*|replicat\w*|verif\w*|re-?eval\w*|seeds?|noise|same)\b", re.IGNORECASE
)
RERUN_OF = re.compile(r"\bre-?run of ([0-9a-z]{4,40})\b", re.IGNORECASE)


@dataclass(frozen=True)
class Try:
    """One tried change. value: of its first run; None for a crash. reruns: the values of further runs."""

    line: int
    commit: str
    value: float | None
    kept: bool
    description: str
    reruns: tuple[float, ...] = ()

    @property
    def name(self) -> str:
        return self.description or self.commit or f"line {self.line}"


@dataclass(frozen=True)
class Loop:
    """A loop's tries in order; the first kept one is the baseline."""

    name: str
    source: str
    metric: str
    tries: tuple[Try, ...]

    @property
    def values(self) -> list[float]:
        """Values of first runs, from the baseline on."""
        start = next(index for index, one in enumerate(self.tries) if one.kept and one.value is not None)
        return [one.value for one in self.tries[start:] if one.value is not None]


class ResultsHeader(NamedTuple):
    delimiter: str
    metric: str
    columns: dict[str, int]


def parse_results_header(line: str) -> ResultsHeader | None:
    """None unless the line names a status, a loss, and a commit or a description."""
    if len(line) > LONGEST_HEADER:
        return None
    for delimiter in "\t,":
        cells = [cell.strip().lower() for cell in next(csv.reader([line], delimiter=delimiter), [])]
        columns = {cell: index for index, cell in reversed(list(enumerate(cells)))}
        metric = next((name for name in METRICS if name in columns), None)
        if metric and "status" in columns and columns.keys() & {"commit", "description"}:
            return ResultsHeader(delimiter, metric, columns)
    return None


def read_results(lines: Sequence[tuple[int, str]], header: ResultsHeader, *, source: str, stem: str) -> Loop:
    """The loop of a table. `lines` begin after the header.

    A row is a rerun where its description names the commit that it is a rerun of, or where its commit came before and
    its status or description says that it is run again; some loops write one commit beside different changes.
    Raises DataError naming file and line for an unknown status and for a value that is no number.
    """
    tries: list[Try] = []
    by_commit: dict[str, int] = {}
    for number, line in lines:
        if not line.strip():
            continue
        row, status = _row(line, number, header, where=f"{source}:{number}")
        again = RERUN_OF.search(row.description)
        index = by_commit.get(again[1].lower() if again else row.commit.lower())
        if index is not None and row.value is not None and (again or _is_again(row, tries[index], status)):
            tries[index] = replace(tries[index], reruns=(*tries[index].reruns, row.value))
        elif status != "rerun":
            if row.commit and row.value is not None:
                by_commit[row.commit.lower()] = len(tries)
            tries.append(row)
    if not any(one.kept and one.value is not None for one in tries):
        raise DataError(f"{source}: no row is kept; expected a status such as keep for the baseline")
    return Loop(name=shown(stem), source=source, metric=header.metric, tries=tuple(tries))


def _is_again(row: Try, before: Try, status: Status) -> bool:
    return status == "rerun" or row.description == before.description or AGAIN.search(row.description) is not None


def _row(line: str, number: int, header: ResultsHeader, *, where: str) -> tuple[Try, Status]:
    # Descriptions hold quotes and commas of their own, so that only tables with commas are read as quoted text.
    reader = csv.reader([line]) if header.delimiter == "," else iter([line.split(header.delimiter)])
    try:
        cells = [cell.strip() for cell in next(reader)]
    except csv.Error as error:
        raise DataError(f"{where}: not a row of delimited text ({error})") from error

    def cell(name: str) -> str:
        index = header.columns.get(name)
        return cells[index] if index is not None and index < len(cells) else ""

    status = STATUSES.get(cell("status").lower())
    if status is None:
        raise DataError(f"{where}: status {cell('status')[:40]!r}; expected one of {', '.join(STATUSES)}")
    value = None if status == "crash" else _value(cell(header.metric), where=f"{where}: {header.metric}")
    commit = "" if cell("commit").lower() in ABSENT else cell("commit")
    description = shown(cell("description")) if cell("description") else ""
    return Try(number, shown(commit) if commit else "", value, status == "keep", description), status


def _value(cell: str, *, where: str) -> float | None:
    """None for an absent value, and for 0, which loops write where a run crashed."""
    if cell.lower() in ABSENT:
        return None
    try:
        value = float(cell)
    except ValueError:
        raise DataError(f"{where}: expected a number, got {cell[:40]!r}") from None
    return value if math.isfinite(value) and value > 0 else None
