"""What the columns of a source hold, counted over all its rows."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from stacklab.data.record import PlacedRow, RowError


@dataclass
class Column:
    """What a column holds: rows with a value that is not null, rows of them with a text, and characters of text, also
    of texts within lists and objects."""

    rows: int = 0
    texts: int = 0
    characters: int = 0
    has_letters: bool = False

    @property
    def is_text(self) -> bool:
        """Whether every value is text, if there is one."""
        return self.texts == self.rows

    def add(self, value: Any) -> None:
        self.rows += 1
        self.texts += isinstance(value, str)
        for text in _texts_in(value):
            self.characters += len(text)
            self.has_letters = self.has_letters or any(map(str.isalpha, text))


@dataclass
class Survey:
    """What the rows of a source hold.

    columns: in the order of their first appearance. parts: the keys of objects in lists, by (column, key).
    patterns: how many rows have values in exactly these columns. first: the names in the first row, which is at place.
    """

    columns: dict[str, Column] = field(default_factory=dict)
    parts: dict[tuple[str, str], Column] = field(default_factory=dict)
    patterns: Counter[frozenset[str]] = field(default_factory=Counter)
    first: tuple[str, ...] = ()
    place: str = ""

    @property
    def characters(self) -> int:
        return sum(column.characters for column in self.columns.values())

    def rows_with(self, names: Iterable[str]) -> int:
        """The rows that have a value in each of these columns."""
        needed = frozenset(names)
        return sum(rows for pattern, rows in self.patterns.items() if needed <= pattern)

    def names(self) -> dict[str, str]:
        """The columns by their names in lower case; of those that differ in case alone, the one with most rows."""
        ranked = sorted(self.columns, key=lambda name: (self.columns[name].rows, name))
        return {name.lower(): name for name in ranked}


def survey(rows: Iterable[PlacedRow]) -> Survey:
    """Count what the columns hold. Broken rows are passed over."""
    found = Survey()
    for place, row in rows:
        if isinstance(row, RowError):
            continue
        if not found.place:
            found.place, found.first = place, tuple(row)
        for name, value in row.items():
            column = found.columns.setdefault(name, Column())
            if value is not None:
                column.add(value)
                for key, part in _parts_of(value):
                    found.parts.setdefault((name, key), Column()).add(part)
        found.patterns[frozenset(name for name, value in row.items() if value is not None)] += 1
    return found


def _texts_in(value: Any) -> Iterator[str]:
    held = [value]
    while held:
        item = held.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, Mapping):
            held += item.values()
        elif isinstance(item, Sequence) and not isinstance(item, bytes):
            held += item


def _parts_of(value: Any) -> Iterator[tuple[str, Any]]:
    """(key, value) of the objects in a list, those that are not null."""
    for item in value if isinstance(value, list) else ():
        if isinstance(item, Mapping):
            yield from ((key, part) for key, part in item.items() if part is not None)
