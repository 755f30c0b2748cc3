import random
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from stacklab.base.errors import DataError
from stacklab.data.record import Record, Turn
from stacklab.data.sources.form import Form, choose_form, is_of_first_row, unread_text
from stacklab.data.sources.records import Counts, records_of
from stacklab.data.sources.spec import Columns
from stacklab.data.sources.survey import survey

ASKED = (Turn("user", "q"), Turn("assistant", "a"))
Rows = Sequence[Mapping[str, Any]]


def read(rows: Rows, columns: Mapping[str, str] = {}, **settings: bool) -> tuple[list[Record], Form, Counts]:
    placed = [(f"f:{number}", dict(row)) for number, row in enumerate(rows, start=1)]
    form, counts = choose_form(survey(placed), Columns(**columns)), Counts()
    return list(records_of(placed, form, counts, **settings)), form, counts


def one(row: Mapping[str, Any], **columns: str) -> tuple[Record, Form]:
    (record,), form, _ = read([row], columns)
    return record, form


def unread(rows: Rows, columns: Mapping[str, str] = {}) -> dict[str, float]:
    found = survey((f"f:{number}", dict(row)) for number, row in enumerate(rows, start=1))
    return unread_text(found, choose_form(found, Columns(**columns)))


def reads_as_before(rows: Rows, columns: Mapping[str, str] = {}) -> bool:
    found, names = survey((f"f:{number}", dict(row)) for number, row in enumerate(rows, start=1)), Columns(**columns)
    return is_of_first_row(found, names, choose_form(found, names))


@pytest.mark.parametrize(
    ("row", "turns"),
    [
        ({"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}, ASKED),
        ({"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]}, ASKED),
        ({"prompt": "q", "response": "a"}, ASKED),
        ({"Question": "q", "Reasoning": "a"}, ASKED),
        ({"question": "q", "answer": "a"}, ASKED),
        ({"instruction": "q", "input": "", "output": "a"}, ASKED),
        ({"instruction": "q", "input": "i", "output": "a"}, (Turn("user", "q\n\ni"), Turn("assistant", "a"))),
        ({"text": "t", "messages": [{"role": "system", "content": "s"}]}, (Turn("system", "s"),)),
    ],
)
def test_the_columns_decide_the_form(row: dict[str, Any], turns: tuple[Turn, ...]) -> None:
    record, form = one(row)
    assert record == Record(turns=turns)
    assert reads_as_before([row])
    assert set(form.read) <= set(row)


def test_text_is_the_last_resort() -> None:
    record, form = one({"Text": "t", "url": "u"})
    assert record == Record(text="t")
    assert form.read == ("Text",)
    assert unread([{"Text": "t", "url": "u"}]) == {"url": 0.5}


def test_named_columns_win_and_facts_stay_beside_the_record() -> None:
    row = {"text": "t", "q": "question", "r": "reply", "gold": 7, "hops": "2", "family": "f"}
    record, _ = one(row, prompt="q", response="r", answer="gold")
    assert record == Record((Turn("user", "question"), Turn("assistant", "reply")), answer="7", hops=2, family="f")
    assert one(row, text="r")[0].text == "reply"


OPTIONAL = [
    {"instruction": "q", "output": "a"},
    *({"instruction": f"q{number}", "input": f"i{number}", "output": "a", "hops": 2} for number in range(9)),
]
MIXED = [
    {"text": "t", "messages": None},
    *({"text": f"t{number}", "Text": "x"} for number in range(3)),
    {"text": "z", "messages": [{"role": "user", "content": "q"}]},
]


@pytest.mark.parametrize("rows", [OPTIONAL, MIXED])
def test_the_order_of_rows_changes_neither_form_nor_records(rows: Rows) -> None:
    records, form, _ = read(rows)
    for seed in range(5):
        shuffled = random.Random(seed).sample(list(rows), len(rows))
        again, same, _ = read(shuffled)
        assert same == form
        assert sorted(record.digest for record in again) == sorted(record.digest for record in records)
        assert unread(shuffled) == unread(rows)


def test_a_column_that_the_first_row_lacks_is_read() -> None:
    records, form, _ = read(OPTIONAL)
    assert records[0].turns == ASKED
    assert records[1].turns[0].content == "q0\n\ni0"
    assert (form.input, records[1].hops) == ("input", 2)


def test_the_form_that_most_rows_fit_is_read_and_the_rest_is_named() -> None:
    records, form, _ = read(MIXED)
    assert [record.text for record in records] == ["t", "t0", "t1", "t2", "z"]
    assert form == Form(text="text")
    assert list(unread(MIXED)) == ["messages", "Text"]


def test_data_read_as_by_their_first_row_keep_their_fingerprint() -> None:
    alike = [{"question": "q", "answer": "a", "url": "u"}, {"question": "q", "answer": "a"}]
    assert reads_as_before(alike)
    calls = [{"role": "assistant", "content": "a", "tool_calls": [{"name": "f", "arguments": "{}"}]}]
    empty = [{"role": "assistant", "content": "a", "tool_calls": [], "reasoning_content": ""}]
    for rows, before in (
        (OPTIONAL, False),
        (OPTIONAL[1:], True),
        ([{"question": "q", "answer": "a", "reasoning": "r"}], False),
        ([{"system": "s", "text": "t"}], True),
        ([{"system": "s", "messages": [{"role": "user", "content": "q"}]}], False),
        ([{"messages": calls}], False),
        ([{"messages": empty}], True),
    ):
        assert reads_as_before(rows) == before, rows
    assert not reads_as_before([{"text": "t"}, {"text": "t", "gold": "1"}], {"answer": "gold"})


@pytest.mark.parametrize("name", ["reasoning", "Reasoning-Chain", "chain of thought", "rationale"])
def test_reasoning_beside_question_and_answer_is_trained_on(name: str) -> None:
    record, form = one({"question": "q", name: "r", "answer": "a"})
    assert record.turns == (Turn("user", "q"), Turn("assistant", "a", "r"))
    assert record.answer is None, "the answer is the response, no fact beside it"
    assert form.read == ("question", name, "answer")
    marked, _ = one({"question": "q", name: "<think>\nr\n</think>\n", "answer": "a"})
    assert marked == record, "marks that the column has are not doubled"
    assert one({"question": "q", name: None, "answer": "a"})[0].turns == ASKED


def test_named_columns_overrule_reasoning_system_and_input() -> None:
    row = {"question": "q", "reasoning": "r", "answer": "a", "system": "s", "context": "c"}
    assert one(row)[0].turns == (Turn("system", "s"), Turn("user", "q"), Turn("assistant", "a", "r"))
    pair = {"prompt": "question", "response": "answer"}
    assert one(row, **pair)[0].turns == ASKED
    assert unread([row], pair) == {"context": 0.2, "reasoning": 0.2, "system": 0.2}
    changed = one(row, **pair, reasoning="context", system="reasoning", input="system")[0]
    assert changed.turns == (Turn("system", "r"), Turn("user", "q\n\ns"), Turn("assistant", "a", "c"))
    assert one(row, input="context")[0].turns[1] == Turn("user", "q\n\nc")


def test_a_system_column_is_the_first_turn() -> None:
    turns = [{"role": "user", "content": "q"}]
    first = Turn("system", "s")
    assert one({"system": "s", "messages": turns})[0].turns == (first, Turn("user", "q"))
    assert one({"system": "s", "messages": [{"role": "system", "content": "s"}, *turns]})[0].turns[:2] == (
        first,
        Turn("user", "q"),
    )
    rows = [{"system": text, "messages": turns} for text in ("s", "", None)]
    assert [len(record.turns) for record in read(rows)[0]] == [2, 1, 1]
    assert unread([{"system": "s", "text": "t"}]) == {"system": 0.5}


def test_a_column_that_is_no_text_is_not_taken_for_reasoning() -> None:
    row = {"question": "q", "answer": "a", "reasoning": ["one", "two"]}
    assert one(row)[0].turns == ASKED
    assert unread([row]) == {"reasoning": 0.75}


def test_tool_calls_and_content_parts_are_text() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"town": "X"}'}}
    turns = [
        {"role": "user", "content": [{"type": "text", "text": "How"}, {"type": "text", "text": "warm?"}]},
        {"role": "assistant", "content": None, "tool_calls": [call, {"name": "f", "arguments": {"é": 1}}]},
        {"role": "tool", "content": "3", "tool_call_id": "c1"},
        {"role": "assistant", "content": "Three.", "reasoning_content": "r"},
    ]
    written = '<tool_call>\n{"name": "weather", "arguments": {"town": "X"}}\n</tool_call>'
    other = '<tool_call>\n{"name": "f", "arguments": {"é": 1}}\n</tool_call>'
    assert one({"messages": turns})[0].turns == (
        Turn("user", "How\nwarm?"),
        Turn("assistant", f"{written}\n{other}"),
        Turn("tool", "3"),
        Turn("assistant", "Three.", "r"),
    )
    assert list(unread([{"messages": turns}])) == ["messages[].tool_call_id"]
    both = {"role": "assistant", "content": "Wait.", "function_call": call["function"]}
    assert one({"messages": [both]})[0].turns == (Turn("assistant", f"Wait.\n{written}"),)


def test_shares_are_of_all_characters_and_numbers_are_no_text() -> None:
    rows = [{"text": "abcd", "note": "xy", "index": "17", "size": 3, "tags": [{"a": "bc"}]}] * 3
    assert unread(rows) == {"note": 0.2, "tags": 0.2}


@pytest.mark.parametrize(
    ("row", "columns", "message"),
    [
        ({"a": "x", "b": "y"}, {}, "f:1: found the columns a, b; expected messages, prompt and response, or text"),
        ({"text": "x"}, {"text": "story"}, "f:1: found the columns text; expected story"),
        ({"text": "x"}, {"answer": "gold"}, "f:1: found the columns text; none is 'gold'"),
        ({"text": "x"}, {"reasoning": "text"}, r"columns\.reasoning is for prompt and response"),
        ({"text": "x", "s": "y"}, {"system": "s"}, r"columns\.system: a record of text \(text\) has no turns"),
        ({"text": None}, {}, "f:1: text is null, expected text"),
        ({"messages": "hello"}, {}, "f:1: messages is 'hello', expected a list of turns"),
        ({"messages": []}, {}, "expected a list of turns"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, {}, r"f:1: messages\[0\]: found the role 'wizard'"),
        ({"messages": [{"role": "user"}]}, {}, r"f:1: messages\[0\] is a dict, expected \{role, content\}"),
        ({"messages": [{"role": "user", "content": 3}]}, {}, r"messages\[0\]: content is 3, expected text"),
        ({"messages": [{"role": "user", "content": None}]}, {}, r"messages\[0\]: content is null, expected text"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}]},
            {},
            "content is a list with a part that is not text, expected text, or parts of type text",
        ),
        ({"messages": [{"role": "assistant", "tool_calls": [3]}]}, {}, r"tool_calls is 3, expected \{function: "),
        ({"text": "x", "hops": "many"}, {}, "f:1: hops is 'many', expected a whole number"),
        ({"text": "caf\ud83d"}, {}, r"f:1: text holds half of a surrogate pair \('\\ud83d'\) at character 4, "),
        ({"text": "x", "answer": "\udc00"}, {}, "f:1: answer holds half of a surrogate pair"),
        (
            {"messages": [{"role": "user", "content": "\ud83d"}]},
            {},
            r"f:1: messages\[0\]\.content holds half of a surrogate pair",
        ),
    ],
)
def test_what_cannot_be_read_is_named(row: dict[str, Any], columns: dict[str, str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        one(row, **columns)


BROKEN = [{"text": "x"}, {"txet": "x"}, {"text": None}, {"text": 3}, {"text": "\ud83d"}, {"text": "y"}]


def test_broken_rows_are_counted_and_the_setting_is_named() -> None:
    with pytest.raises(DataError, match="f:2: text is missing, expected text; 4 of 6 rows are broken") as caught:
        read(BROKEN)
    assert "text is missing in 1, text is null in 1, text is of type int in 1" in str(caught.value)
    assert str(caught.value).endswith("leave such rows out with source.skip: broken")


def test_broken_rows_are_left_out_and_counted_where_that_is_set() -> None:
    records, _, counts = read(BROKEN, skip=True)
    assert [record.text for record in records] == ["x", "y"]
    assert (counts.rows, counts.skipped.total(), counts.used) == (6, 4, {"text": 2})
    records, _, counts = read(BROKEN, skip=True, replace=True)
    assert [record.text for record in records] == ["x", "\ufffd", "y"]
    assert (counts.replaced, counts.skipped["half of a surrogate pair"]) == (1, 0)
