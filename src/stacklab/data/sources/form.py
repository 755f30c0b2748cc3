"""The form of a source: which of its columns become records. It is decided from all rows, whatever their order."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from stacklab.base.errors import DataError
from stacklab.base.text import cut
from stacklab.data.sources.spec import Columns
from stacklab.data.sources.survey import Column, Survey

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
INPUT = "input"
"""Stands below an instruction."""
SYSTEM_COLUMNS = ("system", "system_prompt")
REASONING_COLUMNS = (
    "reasoning",
    "reasoning_content",
    "reasoning_chain",
    "reasoning_trace",
    "chain_of_thought",
    "cot",
    "thinking",
    "thought",
    "thoughts",
    "rationale",
)
"""Beside a prompt and its response; hyphens and blanks in a name count as underscores."""
FACTS = ("answer", "hops", "family")

TURN_KEYS = ("role", "content", "from", "value")
TURN_REASONING = ("reasoning_content", "reasoning", "thinking")
TURN_CALLS = ("tool_calls", "function_call")


@dataclass(frozen=True)
class Form:
    """The columns that hold a record: turns, or prompt and response, or text; and the facts beside it, by column."""

    turns: str | None = None
    prompt: str | None = None
    input: str | None = None
    reasoning: str | None = None
    response: str | None = None
    text: str | None = None
    system: str | None = None
    facts: tuple[tuple[str, str], ...] = ()

    @property
    def needed(self) -> tuple[str, ...]:
        """The columns that every record must have."""
        return tuple(name for name in (self.turns, self.prompt, self.response, self.text) if name is not None)

    @property
    def trained_on(self) -> tuple[str, ...]:
        columns = (self.system, self.turns, self.prompt, self.input, self.reasoning, self.response, self.text)
        return tuple(name for name in columns if name is not None)

    @property
    def read(self) -> tuple[str, ...]:
        return (*self.trained_on, *(column for _, column in self.facts))


def choose_form(found: Survey, columns: Columns) -> Form:
    """The form that most rows fit; of several, the first in the order of the lists above. `columns` overrules.

    Raises DataError when there is none, or when a column that is named is not there or does not belong to the form.
    """
    names = found.names()
    forms = tuple(_candidates(names, columns))
    if not forms:
        raise DataError(_no_form(found, columns))
    form = max(forms, key=lambda form: found.rows_with(form.needed))
    input_ = form.input if form.input and found.columns[form.input].is_text else None
    form = replace(form, input=_named(found, names, columns.input) or input_)
    form = replace(form, reasoning=_reasoning(found, names, columns, form))
    form = replace(form, system=_system(found, names, columns, form))
    return replace(form, facts=_facts(found, names, columns, form))


def is_of_first_row(found: Survey, columns: Columns, form: Form) -> bool:
    """Whether the first row alone leads to the same records, without reasoning, system columns and tool calls: so
    format 1 of prepared data read a source, and its data keep their fingerprint."""
    names = {name.lower(): name for name in found.first}
    first = next(_candidates(names, columns), None)
    if first is None or (columns.answer and columns.answer.lower() not in names):
        return False
    first = replace(first, facts=_facts(found, names, columns, first))
    beyond = (*TURN_REASONING, *TURN_CALLS) if form.turns else ()
    return form == first and not any(found.parts.get((form.turns or "", key), Column()).characters for key in beyond)


def unread_text(found: Survey, form: Form) -> dict[str, float]:
    """The columns, and keys of turns, with text that is not read, largest first, with their share of all characters.

    Numbers written as text are no text here.
    """
    keys = (*TURN_KEYS, *TURN_REASONING, *TURN_CALLS)
    columns = {name: column for name, column in found.columns.items() if name not in form.read}
    columns |= {
        f"{of}[].{key}": part for (of, key), part in found.parts.items() if of == form.turns and key not in keys
    }
    total = found.characters
    shares = {name: one.characters / total for name, one in columns.items() if one.has_letters}
    return dict(sorted(shares.items(), key=lambda item: (-item[1], item[0])))


def _candidates(names: Mapping[str, str], columns: Columns) -> Iterator[Form]:
    """The forms whose columns are there, by `names`: lower case -> as written."""
    any_form = columns.named is None
    if any_form or columns.messages:
        for name in (columns.messages,) if columns.messages else TURN_COLUMNS:
            if column := names.get(name.lower()):
                yield Form(turns=column)
    if any_form or columns.prompt:
        for one, other in ((columns.prompt, columns.response),) if columns.prompt and columns.response else PAIRS:
            prompt, response = names.get(one.lower()), names.get(other.lower())
            if prompt and response:
                yield Form(prompt=prompt, response=response, input=names.get(INPUT) if one == "instruction" else None)
    if any_form or columns.text:
        for name in (columns.text,) if columns.text else TEXT_COLUMNS:
            if column := names.get(name.lower()):
                yield Form(text=column)


def _no_form(found: Survey, columns: Columns) -> str:
    expected = f"{columns.prompt} and {columns.response}" if columns.prompt else columns.named
    return (
        f"{found.place}: found the columns {_listed(found)}; "
        f"expected {expected or 'messages, prompt and response, or text'}; name them in source.columns"
    )


def _listed(found: Survey) -> str:
    """The columns for a message, which may be thousands."""
    return cut(", ".join(found.columns)) or "none"


def _named(found: Survey, names: Mapping[str, str], wanted: str | None) -> str | None:
    """The column that source.columns names. Raises DataError when there is none."""
    if wanted is None:
        return None
    if wanted.lower() not in names:
        raise DataError(f"{found.place}: found the columns {_listed(found)}; none is {wanted!r}")
    return names[wanted.lower()]


def _reasoning(found: Survey, names: Mapping[str, str], columns: Columns, form: Form) -> str | None:
    named = _named(found, names, columns.reasoning)
    if named is not None and form.prompt is None:
        raise DataError(f"{found.place}: source.columns.reasoning is for prompt and response; name those columns too")
    if named is not None or columns.named is not None or form.prompt is None:
        return named
    spelled = {name.replace("-", "_").replace(" ", "_"): column for name, column in names.items()}
    return _first(found, (spelled.get(name) for name in REASONING_COLUMNS), form)


def _system(found: Survey, names: Mapping[str, str], columns: Columns, form: Form) -> str | None:
    named = _named(found, names, columns.system)
    if named is not None and form.text is not None:
        raise DataError(f"{found.place}: source.columns.system: a record of text ({form.text}) has no turns; remove it")
    if named is not None or columns.named is not None or form.text is not None:
        return named
    return _first(found, map(names.get, SYSTEM_COLUMNS), form)


def _first(found: Survey, candidates: Iterable[str | None], form: Form) -> str | None:
    """The first column that has text, nothing else, and is not read yet."""
    columns = ((name, found.columns[name]) for name in candidates if name and name not in form.read)
    return next((name for name, column in columns if column.is_text and column.characters), None)


def _facts(found: Survey, names: Mapping[str, str], columns: Columns, form: Form) -> tuple[tuple[str, str], ...]:
    facts = {fact: names[fact] for fact in FACTS if fact in names and names[fact] not in form.trained_on}
    if (answer := _named(found, names, columns.answer)) is not None:
        facts["answer"] = answer
    return tuple(facts.items())
