"""An open source: its records in order, which may be read repeatedly, and the hash of its content."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from stacklab.base.errors import DataError
from stacklab.base.files import open_regular
from stacklab.base.hardware import beyond_memory
from stacklab.data.procedural.corpus import generate
from stacklab.data.procedural.spec import ProceduralSpec
from stacklab.data.record import PlacedRow, Record, TokenRecord
from stacklab.data.sources.form import Form, choose_form, is_of_first_row, unread_text
from stacklab.data.sources.hub import hub_rows
from stacklab.data.sources.readers import delimiter_of, existing_file, format_of, rows_of, whole_text
from stacklab.data.sources.records import Counts, records_of
from stacklab.data.sources.spec import Columns, FileSpec, HubSpec, TokensSpec
from stacklab.data.sources.survey import Survey, survey
from stacklab.data.sources.token_file import token_records
from stacklab.data.spec import DataSpec
from stacklab.data.stories.corpus import generate as generate_stories
from stacklab.data.stories.spec import StoriesSpec

Item = Record | TokenRecord

RECORD_BYTES = 1500
"""Bytes of a generated record in memory, where they are all held: 1,490 measured for problems, 770 for stories."""


@dataclass
class RowSource:
    """The rows of a source with their form. `counts` are those of the last pass over them."""

    rows: Callable[[], Iterable[PlacedRow]]
    survey: Survey
    form: Form
    skip: bool = False
    replace: bool = False
    counts: Counts = field(default_factory=Counts)

    def records(self) -> Iterator[Record]:
        """Raises DataError for a broken row, unless such rows are skipped."""
        self.counts = Counts()
        return records_of(self.rows(), self.form, self.counts, skip=self.skip, replace=self.replace)

    @property
    def unread(self) -> dict[str, float]:
        """Columns with text that are not read, and their share of the characters."""
        return {_safe(name): share for name, share in unread_text(self.survey, self.form).items()}

    def facts(self) -> dict[str, Any]:
        """For the manifest, of the last pass: the broken rows left out by reason; the columns read and not read, and of
        each its rows, the rows used, and characters of text."""
        columns, counts = self.survey.columns, self.counts
        return {
            "skipped": dict(counts.skipped),
            "columns_read": [_safe(name) for name in self.form.read],
            "columns_unread": [_safe(name) for name in columns if name not in self.form.read],
            "columns": {
                _safe(name): {"rows": column.rows, "used": counts.used[name], "characters": column.characters}
                for name, column in columns.items()
            },
        }


@dataclass
class OpenSource:
    """`identity` determines the records, whatever the path. `rows` is None for a source without columns."""

    name: str
    identity: dict[str, str]
    records: Callable[[], Iterator[Item]]
    rows: RowSource | None = None


def open_source(spec: DataSpec) -> OpenSource:
    """Open the source of a spec. A source with columns is read once, to decide its form.

    Raises DataError when there is none, when a broken record prevents hashing it, and for more generated records than
    this machine can hold.
    """
    source = spec.source
    if isinstance(source, TokensSpec):
        path = existing_file(source.path, what="source")
        return OpenSource(path.name, {"hash": _file_hash(path)}, lambda: token_records(path, source))
    if isinstance(source, FileSpec):
        return _open_file(source, verbatim=spec.is_verbatim)
    if isinstance(source, HubSpec):
        return _of_rows(source.id, _with_form(partial(hub_rows, source), source))
    if needs := beyond_memory(source.records * RECORD_BYTES):
        raise DataError(f"{source.kind}: source.records = {source.records:,} needs {needs}; lower it")
    if isinstance(source, StoriesSpec):
        records = [Record(text=story.text, group=story.skeleton) for story in generate_stories(source)]
        return OpenSource(source.kind, {"hash": _records_hash(records)}, lambda: iter(records))
    rows = list(_procedural_rows(source))
    found = survey(rows)
    return _of_rows(source.kind, RowSource(lambda: rows, found, choose_form(found, Columns())))


def _open_file(source: FileSpec, *, verbatim: bool) -> OpenSource:
    path = existing_file(source.path, what="source")
    identity = {"hash": _file_hash(path), "format": format_of(source, path)}
    if verbatim:
        return OpenSource(path.name, identity, lambda: iter([Record(text=whole_text(path))]))
    if identity["format"] == "csv" and (delimiter := delimiter_of(source, path)) != ",":
        identity["delimiter"] = delimiter
    rows = _with_form(partial(rows_of, source), source)
    if not is_of_first_row(rows.survey, source.columns, rows.form):
        identity["form"] = "of all rows"
    return OpenSource(path.name, identity, rows.records, rows)


def _with_form(rows: Callable[[], Iterable[PlacedRow]], source: FileSpec | HubSpec) -> RowSource:
    found = survey(rows())
    form = choose_form(found, source.columns) if found.place else Form()
    return RowSource(rows, found, form, skip=source.skip == "broken", replace=source.surrogates == "replace")


def _of_rows(name: str, rows: RowSource) -> OpenSource:
    """A source whose identity is that of its records."""
    return OpenSource(name, {"hash": _records_hash(rows.records())}, rows.records, rows)


def _procedural_rows(spec: ProceduralSpec) -> Iterator[PlacedRow]:
    for index, row in enumerate(generate(spec)):
        yield f"{spec.kind}: record {index + 1}", row


def _file_hash(path: Path) -> str:
    try:
        with open_regular(path) as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path}: cannot read ({error.strerror})") from error


def _records_hash(records: Iterable[Record]) -> str:
    """Hash of the records without normalisation, since a changed blank changes the tokens."""
    digest = hashlib.sha256()
    for record in records:
        row = [[turn.parts for turn in record.turns], record.text, record.answer, record.hops, record.family]
        if record.group is not None:
            row.append(record.group)
        digest.update(json.dumps(row, separators=(",", ":")).encode() + b"\n")
    return digest.hexdigest()


def _safe(name: str) -> str:
    """A column's name that can be written: half of a surrogate pair as its escape."""
    return name.encode("utf-8", "backslashreplace").decode()
