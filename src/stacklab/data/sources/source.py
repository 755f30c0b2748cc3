"""An open source: its records in order, which may be read repeatedly, and the hash of its content.

The spec, or else the first row, decides which columns of a source with rows are read.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stacklab.base.errors import DataError
from stacklab.data.procedural.corpus import generate
from stacklab.data.procedural.spec import ProceduralSpec
from stacklab.data.record import ROLES, Record, TokenRecord, Turn
from stacklab.data.sources.hub import hub_rows
from stacklab.data.sources.readers import PlacedRow, Row, existing_file, format_of, rows_of, whole_text
from stacklab.data.sources.token_file import token_records
from stacklab.data.spec import Columns, DataSpec, FileSpec, HubSpec, TokensSpec
from stacklab.data.stories.corpus import generate as generate_stories
from stacklab.data.stories.spec import StoriesSpec

TURN_COLUMNS = ("messages", "conversations", "conversation")
PAIRS = (
    ("prompt", "response"),
    ("prompt", "completion"),
    ("question", "answer"),
    ("question", "reasoning"),
    ("question", "response"),
    ("instruction", "output"),
    ("instruction", "response"),
    ("problem", "solution"),
    ("query", "response"),
    ("input", "output"),
)
TEXT_COLUMNS = ("text", "content", "story")
ROLE_NAMES = {"human": "user", "gpt": "assistant", "bot": "assistant", "model": "assistant", "chatgpt": "assistant"}


@dataclass(frozen=True)
class Form:
    """How the rows of one source become records. `read` and `unread` name its columns, for the manifest."""

    to_record: Callable[[Row, str], Record]
    read: tuple[str, ...]
    unread: tuple[str, ...]


def records_of(rows: Iterable[PlacedRow], columns: Columns, on_form: Callable[[Form], None]) -> Iterator[Record]:
    """One record per row; `on_form` is called with the form once it is known.

    Raises DataError naming the row's place when columns are missing or hold something else than text or turns.
    """
    form: Form | None = None
    for place, row in rows:
        if form is None:
            form = _form_of(row, columns, place)
            on_form(form)
        yield form.to_record(row, place)


def _form_of(row: Row, columns: Columns, place: str) -> Form:
    names = {name.lower(): name for name in row}
    chosen, to_record = _choose(names, columns, place, present=", ".join(row) or "none")
    facts = _fact_columns(names, columns, chosen, place)

    def with_facts(row: Row, place: str) -> Record:
        return to_record(row, place) if not facts else _add_facts(to_record(row, place), row, facts, place)

    read = (*chosen, *facts.values())
    return Form(with_facts, read, tuple(name for name in row if name not in read))


def _choose(
    names: Mapping[str, str], columns: Columns, place: str, *, present: str
) -> tuple[tuple[str, ...], Callable[[Row, str], Record]]:
    """The columns of the first form that fits the row, and the function that reads them."""
    turn_names = (columns.messages,) if columns.messages else TURN_COLUMNS
    pairs = ((columns.prompt, columns.response),) if columns.prompt and columns.response else PAIRS
    text_names = (columns.text,) if columns.text else TEXT_COLUMNS
    named = columns.messages or columns.prompt or columns.text
    if not named or columns.messages:
        for name in turn_names:
            if column := names.get(name.lower()):
                return (column,), lambda row, place: Record(turns=_turns(row, column, place))
    if not named or columns.prompt:
        for one, other in pairs:
            prompt, response = names.get(one.lower()), names.get(other.lower())
            if prompt and response:
                return _pair(prompt, response, names.get("input") if one == "instruction" else None)
    if not named or columns.text:
        for name in text_names:
            if column := names.get(name.lower()):
                return (column,), lambda row, place: Record(text=_text(row, column, place))
    expected = f"{columns.prompt} and {columns.response}" if columns.prompt else named
    raise DataError(
        f"{place}: found the columns {present}; expected {expected or 'messages, prompt and response, or text'}; "
        "name them in source.columns"
    )


def _pair(prompt: str, response: str, extra: str | None) -> tuple[tuple[str, ...], Callable[[Row, str], Record]]:
    def to_record(row: Row, place: str) -> Record:
        question = _text(row, prompt, place)
        if extra and row.get(extra):
            question += "\n\n" + _text(row, extra, place)
        return Record(turns=(Turn("user", question), Turn("assistant", _text(row, response, place))))

    return (prompt, *([extra] if extra else []), response), to_record


def _turns(row: Row, column: str, place: str) -> tuple[Turn, ...]:
    value = row.get(column)
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        raise DataError(f"{place}: {column} is {_kind(value)}, expected a list of turns")
    turns = []
    for index, item in enumerate(value):
        where = f"{place}: {column}[{index}]"
        role_key, content_key = (
            ("from", "value") if isinstance(item, Mapping) and "from" in item else ("role", "content")
        )
        if not isinstance(item, Mapping) or role_key not in item or content_key not in item:
            raise DataError(f"{where} is {_kind(item)}, expected {{role, content}} or {{from, value}}")
        role = ROLE_NAMES.get(str(item[role_key]), str(item[role_key]))
        if role not in ROLES:
            raise DataError(f"{where}: found the role {role!r}, expected one of {', '.join((*ROLES, *ROLE_NAMES))}")
        turns.append(Turn(role, _text(item, content_key, where)))
    return tuple(turns)


def _text(row: Mapping[str, Any], column: str, place: str) -> str:
    value = row.get(column)
    if not isinstance(value, str):
        raise DataError(f"{place}: {column} is {_kind(value)}, expected text")
    return value


def _fact_columns(names: Mapping[str, str], columns: Columns, chosen: Sequence[str], place: str) -> dict[str, str]:
    facts = {fact: names[fact] for fact in ("answer", "hops", "family") if names.get(fact, chosen[0]) not in chosen}
    if columns.answer is not None:
        if columns.answer.lower() not in names:
            raise DataError(f"{place}: found the columns {', '.join(names.values())}; none is {columns.answer!r}")
        facts["answer"] = names[columns.answer.lower()]
    return facts


def _add_facts(record: Record, row: Row, facts: Mapping[str, str], place: str) -> Record:
    values = {fact: row.get(column) for fact, column in facts.items()}
    hops = values.get("hops")
    if isinstance(hops, str) and hops.strip().isdigit():  # in a CSV everything is text
        hops = int(hops)
    if hops is not None and (isinstance(hops, bool) or not isinstance(hops, int)):
        raise DataError(f"{place}: {facts['hops']} is {_kind(hops)}, expected a whole number")
    answer, family = (None if values.get(fact) is None else str(values[fact]) for fact in ("answer", "family"))
    return Record(turns=record.turns, text=record.text, answer=answer, hops=hops, family=family)


def _kind(value: Any) -> str:
    if value is None:
        return "missing"
    return f"a {type(value).__name__}" if not isinstance(value, str | int | float) else repr(value)[:40]


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
        if spec.is_verbatim:
            return OpenSource(path.name, identity, lambda: iter([Record(text=whole_text(path))]))
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
