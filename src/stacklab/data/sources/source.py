"""An open source: its records in order, which may be read repeatedly, and the hash of its content."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from stacklab.base.errors import DataError
from stacklab.data.procedural.corpus import generate
from stacklab.data.procedural.spec import ProceduralSpec
from stacklab.data.record import Record, TokenRecord
from stacklab.data.sources.columns import Form, records_of
from stacklab.data.sources.hub import hub_rows
from stacklab.data.sources.readers import PlacedRow, existing_file, format_of, rows_of
from stacklab.data.sources.token_file import token_records
from stacklab.data.spec import Columns, DataSpec, FileSpec, HubSpec, TokensSpec
from stacklab.data.stories.corpus import generate as generate_stories
from stacklab.data.stories.spec import StoriesSpec

Item = Record | TokenRecord


@dataclass
class OpenSource:
    """`identity` determines the records, whatever the path; `form` is known once a row was read."""

    name: str
    identity: dict[str, str]
    records: Callable[[], Iterator[Item]]
    form: Form | None = field(default=None)


def open_source(spec: DataSpec) -> OpenSource:
    """Open the source of a spec. Raises DataError when there is none, or a broken record prevents hashing it."""
    source = spec.source
    if isinstance(source, TokensSpec):
        path = existing_file(source.path, what="source")
        return OpenSource(path.name, {"hash": _file_hash(path)}, lambda: token_records(path, source))
    if isinstance(source, FileSpec):
        path = existing_file(source.path, what="source")
        identity = {"hash": _file_hash(path), "format": format_of(source, path)}
        return _of_rows(path.name, identity, lambda: rows_of(source), source.columns)
    if isinstance(source, HubSpec):
        return _of_rows(source.id, {}, lambda: hub_rows(source), source.columns)
    if isinstance(source, StoriesSpec):
        records = [Record(text=story.text, group=story.skeleton) for story in generate_stories(source)]
        return OpenSource(source.kind, {"hash": _records_hash(records)}, lambda: iter(records))
    rows = list(_procedural_rows(source))
    return _of_rows(source.kind, {}, lambda: iter(rows), Columns())


def _of_rows(
    name: str, identity: dict[str, str], rows: Callable[[], Iterable[PlacedRow]], columns: Columns
) -> OpenSource:
    def records() -> Iterator[Record]:
        return records_of(rows(), columns, lambda form: setattr(opened, "form", form))

    opened = OpenSource(name, identity, records)
    if not identity:
        opened.identity = {"hash": _records_hash(records())}
    return opened


def _procedural_rows(spec: ProceduralSpec) -> Iterator[PlacedRow]:
    for index, row in enumerate(generate(spec)):
        yield f"{spec.kind}: record {index + 1}", row


def _file_hash(path: Path) -> str:
    try:
        with path.open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path}: cannot read ({error.strerror})") from error


def _records_hash(records: Iterable[Record]) -> str:
    """Hash of the records without normalisation, since a changed blank changes the tokens."""
    digest = hashlib.sha256()
    for record in records:
        turns = [[turn.role, turn.content] for turn in record.turns]
        row = [turns, record.text, record.answer, record.hops, record.family]
        if record.group is not None:
            row.append(record.group)
        digest.update(json.dumps(row, separators=(",", ":")).encode() + b"\n")
    return digest.hexdigest()
