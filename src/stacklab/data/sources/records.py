"""Rows of a known form as records, with the rows that are broken counted by reason."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from stacklab.base.errors import DataError
from stacklab.data.record import ROLES, PlacedRow, Record, Row, RowError, Turn
from stacklab.data.sources.form import TURN_CALLS, TURN_REASONING, Form

ROLE_NAMES = {"human": "user", "gpt": "assistant", "bot": "assistant", "model": "assistant", "chatgpt": "assistant"}
REPLACEMENT = "\ufffd"
_NUMBER = re.compile(r"\[\d+\]$")
_HALF = re.compile("[\ud800-\udfff]")
_MARKED = re.compile(r"\s*<think>\s*(.*?)\s*</think>\s*", re.DOTALL)


@dataclass
class Counts:
    """Of one pass over the rows. used: rows by column whose text is in a record. skipped: broken rows by reason."""

    rows: int = 0
    used: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    replaced: int = 0
    """Halves of surrogate pairs that U+FFFD stands for."""


def records_of(
    rows: Iterable[PlacedRow], form: Form, counts: Counts, *, skip: bool = False, replace: bool = False
) -> Iterator[Record]:
    """One record per row, in order. replace: put U+FFFD for halves of surrogate pairs, which are broken otherwise.

    skip: leave broken rows out. Otherwise they raise DataError at the end, naming the first and how many there are.
    """
    first: RowError | None = None
    for place, row in rows:
        counts.rows += 1
        reader = _RowReader(place, replace=replace)
        try:
            record = reader.record(row, form)
        except RowError as error:
            counts.skipped[error.reason] += 1
            first = first or error
            continue
        counts.used.update(reader.used)
        counts.replaced += reader.replaced
        if first is None or skip:
            yield record
    if first is not None and not skip:
        broken = counts.skipped.total()
        raise DataError(
            f"{first}; {broken} of {counts.rows} rows {'is' if broken == 1 else 'are'} broken "
            f"({reasons(counts.skipped)}): correct what is wrong, or leave such rows out with source.skip: broken"
        )


def reasons(skipped: Mapping[str, int]) -> str:
    """Broken rows by reason, the most frequent first: `text is null in 2, not JSON in 1`."""
    ranked = sorted(skipped.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{reason} in {count}" for reason, count in ranked)


class _RowReader:
    """Reads one row. `where` is its place, and within turns the place of the turn."""

    def __init__(self, place: str, *, replace: bool) -> None:
        self.place, self.replace = place, replace
        self.where = ""
        self.used, self.replaced = set[str](), 0

    def record(self, row: Row | RowError, form: Form) -> Record:
        """Raises RowError for a row that does not fit the form."""
        if isinstance(row, RowError):
            raise row
        if form.text is not None:
            record = Record(text=self.column(row, form.text))
        else:
            turns = self.pair(row, form) if form.turns is None else self.turns(row, form.turns)
            system = self.optional(row, form.system)
            first = Turn("system", system)
            record = Record(turns=turns if not system.strip() or turns[:1] == (first,) else (first, *turns))
        return self.with_facts(record, row, form.facts)

    def column(self, row: Row, name: str) -> str:
        text = self.text(row, name)
        if text:
            self.used.add(name)
        return text

    def optional(self, row: Row, name: str | None) -> str:
        """The text of a column that a row may lack."""
        return "" if name is None or not row.get(name) else self.column(row, name)

    def pair(self, row: Row, form: Form) -> tuple[Turn, ...]:
        assert form.prompt is not None and form.response is not None
        question = self.column(row, form.prompt)
        if extra := self.optional(row, form.input):
            question += "\n\n" + extra
        response, reasoning = self.column(row, form.response), self.optional(row, form.reasoning)
        return Turn("user", question), Turn("assistant", response, _without_marks(reasoning))

    def turns(self, row: Row, column: str) -> tuple[Turn, ...]:
        value = row.get(column)
        if not isinstance(value, Sequence) or isinstance(value, str) or not value:
            self.fail(column, row, "expected a list of turns")
        self.used.add(column)
        turns = []
        for index, item in enumerate(value):
            self.where = f"{column}[{index}]"
            turns.append(self.turn(item, column))
        self.where = ""
        return tuple(turns)

    def turn(self, item: Any, column: str) -> Turn:
        role_key, content_key = (
            ("from", "value") if isinstance(item, Mapping) and "from" in item else ("role", "content")
        )
        calls = _calls(item) if isinstance(item, Mapping) else []
        if not isinstance(item, Mapping) or role_key not in item or (content_key not in item and not calls):
            message = f"{self.where} is {_kind(item)}, expected {{role, content}} or {{from, value}}"
            raise RowError(self.place, f"{column}[] is no turn", message)
        role = ROLE_NAMES.get(str(item[role_key]), str(item[role_key]))
        if role not in ROLES:
            message = f"found the role {role!r}, expected one of {', '.join((*ROLES, *ROLE_NAMES))}"
            raise RowError(f"{self.place}: {self.where}", f"unknown role in {column}[]", message)
        content = "" if calls and item.get(content_key) is None else self.content(item, content_key)
        content = "\n".join([*([content] if content else []), *map(self.call, calls)]) if calls else content
        thought = next((key for key in TURN_REASONING if item.get(key)), None)
        return Turn(role, content, "" if thought is None else _without_marks(self.text(item, thought)))

    def content(self, item: Mapping[str, Any], key: str) -> str:
        """A text, or the texts of content parts, one under the other."""
        parts = item.get(key)
        if not isinstance(parts, list):
            return self.text(item, key)
        texts = []
        for part in parts:
            if not isinstance(part, Mapping) or part.get("type", "text") != "text":
                self.fail(key, item, "expected text, or parts of type text", kind="a list with a part that is not text")
            texts.append(self.text(part, "text"))
        return "\n".join(texts)

    def call(self, call: Any) -> str:
        """A tool call as text, in the form of Qwen2.5's template."""
        function = call.get("function", call) if isinstance(call, Mapping) else call
        if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
            self.fail(TURN_CALLS[0], {TURN_CALLS[0]: call}, "expected {function: {name, arguments}}")
        arguments = function.get("arguments")
        written = arguments if isinstance(arguments, str) and arguments else json.dumps(arguments, ensure_ascii=False)
        name = json.dumps(function["name"], ensure_ascii=False)
        text = f'<tool_call>\n{{"name": {name}, "arguments": {written}}}\n</tool_call>'
        return self.text({TURN_CALLS[0]: text}, TURN_CALLS[0])

    def text(self, item: Mapping[str, Any], key: str) -> str:
        """A text without halves of surrogate pairs."""
        value = item.get(key)
        if not isinstance(value, str):
            self.fail(key, item, "expected text")
        try:
            value.encode()
        except UnicodeEncodeError as error:
            if not self.replace:
                name = f"{self.where}.{key}" if self.where else key
                raise RowError(
                    self.place,
                    "half of a surrogate pair",
                    f"{name} holds half of a surrogate pair ({value[error.start]!r}) at character {error.start + 1}, "
                    "which is no text; source.surrogates: replace puts U+FFFD in its place",
                ) from error
            value, count = _HALF.subn(REPLACEMENT, value)
            self.replaced += count
        return value

    def with_facts(self, record: Record, row: Row, facts: tuple[tuple[str, str], ...]) -> Record:
        """The record with its answer, hops and family."""
        if not facts:
            return record
        columns = dict(facts)
        values = {fact: row.get(column) for fact, column in facts}
        hops = values.get("hops")
        if isinstance(hops, str) and hops.strip().isdigit():  # in a CSV everything is text
            hops = int(hops)
        if hops is not None and (isinstance(hops, bool) or not isinstance(hops, int)):
            self.fail(columns["hops"], row, "expected a whole number")
        known = {fact: str(value) for fact, value in values.items() if value is not None}
        self.used.update(columns[fact] for fact in known)
        answer, family = (self.text(known, fact) if fact in known else None for fact in ("answer", "family"))
        return Record(turns=record.turns, text=record.text, answer=answer, hops=hops, family=family)

    def fail(self, key: str, item: Mapping[str, Any], expected: str, *, kind: str = "") -> NoReturn:
        value = item.get(key)
        found = kind or ("missing" if key not in item else _kind(value))
        name = f"{_NUMBER.sub('[]', self.where)}.{key}" if self.where else key
        general = found if value is None or kind else f"of type {type(value).__name__}"
        where = f"{self.place}: {self.where}" if self.where else self.place
        raise RowError(where, f"{name} is {general}", f"{key} is {found}, {expected}")


def _calls(item: Mapping[str, Any]) -> list[Any]:
    """The tool calls of a turn: a list, or in an older form one."""
    calls: Any = next((item[key] for key in TURN_CALLS if item.get(key)), [])
    return calls if isinstance(calls, list) else [calls]


def _without_marks(reasoning: str) -> str:
    """Reasoning whose marks are part of the column; the template puts its own."""
    marked = _MARKED.fullmatch(reasoning)
    return marked[1] if marked else reasoning


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    return f"a {type(value).__name__}" if not isinstance(value, str | int | float) else repr(value)[:40]
