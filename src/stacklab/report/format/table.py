"""Tables: as text for HTML, Markdown and terminals alike, and as CSV with all digits."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from stacklab.stats.result import Estimate, Result

T = TypeVar("T")
Columns = Mapping[str, Callable[[T], Any]]
"""Head -> the value of a row in that column; None leaves the cell empty."""


@dataclass(frozen=True)
class TextCell:
    text: str
    note: str = ""
    """Printed smaller, beneath the text."""


TextRow = tuple[TextCell, ...]


@dataclass(frozen=True)
class TextTable:
    """`heads` name the columns; the first column names the rows. A section starts at the row with its index."""

    heads: TextRow
    rows: tuple[TextRow, ...]
    sections: tuple[tuple[int, str], ...] = ()
    notes: tuple[str, ...] = ()


def in_sections(rows: Sequence[tuple[str, TextRow]]) -> tuple[tuple[TextRow, ...], tuple[tuple[int, str], ...]]:
    """Rows and sections of a TextTable, from rows with the titles of their sections.

    >>> in_sections([("a", ()), ("a", ()), ("b", ())])[1]
    ((0, 'a'), (2, 'b'))
    """
    titles = [title for title, _ in rows]
    starts = (place for place, title in enumerate(titles) if place == 0 or title != titles[place - 1])
    return tuple(row for _, row in rows), tuple((place, titles[place]) for place in starts)


def text_row(*texts: str) -> TextRow:
    return tuple(TextCell(text) for text in texts)


@dataclass(frozen=True)
class CsvTable(Generic[T]):
    """A CSV file: a row per item, a column per entry of `columns`. Without rows it still has its heads."""

    name: str
    rows: Sequence[T]
    columns: Columns[T]

    def text(self) -> str:
        return csv_text(self.columns, ([value(row) for value in self.columns.values()] for row in self.rows))


def csv_text(heads: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """Numbers with all their digits; None is an empty cell.

    >>> print(csv_text(("a", "b"), [(0.1, None), (1, "x,y"), (float("nan"), 2)]), end="")
    a,b
    0.1,
    1,"x,y"
    nan,2
    """
    import pandas as pd

    # As objects: a column of counts with a gap would become one of floats.
    cells = (["" if value is None else value for value in row] for row in rows)
    frame = pd.DataFrame(cells, columns=list(heads), dtype=object)
    return str(frame.to_csv(index=False, lineterminator="\n", na_rep="nan"))


def interval_columns(result: Callable[[T], Result | None]) -> dict[str, Callable[[T], Any]]:
    """The ends of an interval and its confidence level, or why there is none; all empty where there is no result at
    all."""

    def end(name: str) -> Callable[[T], Any]:
        return lambda row: getattr(result(row), name) if isinstance(result(row), Estimate) else None

    def reason(row: T) -> str | None:
        outcome = result(row)
        return outcome.reason if outcome is not None and outcome.kind == "undefined" else None

    return {"low": end("low"), "high": end("high"), "confidence": end("level"), "undefined": reason}


def value_or_none(result: Result) -> float | None:
    return result.value if isinstance(result, Estimate) else None
