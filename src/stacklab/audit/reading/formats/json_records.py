"""JSON: a line per record with the keys in any order, a list of records, or a list per name (`{"loss": [...]}`)."""

from typing import Any

from stacklab.audit.reading.entry import Document, Entry, Format, Row
from stacklab.audit.reading.lines import logs_of_rows
from stacklab.audit.reading.log import Log
from stacklab.audit.reading.names import entry_of
from stacklab.audit.reading.records import load_json, record_from


def line(text: str) -> Entry | None:
    item = load_json(text)
    return entry_of(record_from(item)) if isinstance(item, dict) else None


def document(file: Document) -> list[Log] | None:
    items = _items(load_json(file.text))
    entries = [entry_of(record_from(item)) for item in items]
    rows = [Row(0, entry) for entry in entries if entry is not None and (entry.losses or entry.refused)]
    return logs_of_rows(rows, source=file.name, stem=file.stem) if rows else None


def _items(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, list):
        return [item for item in value if isinstance(item, dict)]
    columns = (
        {name: column for name, column in value.items() if isinstance(column, list)} if isinstance(value, dict) else {}
    )
    if len({len(column) for column in columns.values()}) != 1:
        return []
    return [dict(zip(columns, items, strict=True)) for items in zip(*columns.values(), strict=True)]


FORMAT = Format(program="JSON lines", line=line, document=document)
