from typing import Any

import pytest

from stacklab.base.errors import DataError
from stacklab.data.record import Record, Turn
from stacklab.data.sources.source import Form, records_of
from stacklab.data.spec import Columns

ASKED = (Turn("user", "q"), Turn("assistant", "a"))


def one(row: dict[str, Any], **columns: str) -> tuple[Record, Form]:
    forms: list[Form] = []
    (record,) = records_of([("f:1", row)], Columns(**columns), forms.append)
    return record, forms[0]


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
def test_the_form_is_told_by_the_row(row: dict[str, Any], turns: tuple[Turn, ...]) -> None:
    record, form = one(row)
    assert record == Record(turns=turns)
    assert set(form.read) | set(form.unread) == set(row)


def test_text_is_the_last_resort_and_what_is_not_read_is_told() -> None:
    record, form = one({"Text": "t", "url": "u"})
    assert record == Record(text="t")
    assert (form.read, form.unread) == (("Text",), ("url",))


def test_named_columns_win_and_facts_stay_beside_the_record() -> None:
    row = {"text": "t", "q": "question", "r": "reply", "gold": 7, "hops": "2", "family": "f"}
    record, _ = one(row, prompt="q", response="r", answer="gold")
    assert record == Record((Turn("user", "question"), Turn("assistant", "reply")), answer="7", hops=2, family="f")
    assert one(row, text="r")[0].text == "reply"


@pytest.mark.parametrize(
    ("row", "columns", "message"),
    [
        ({"a": "x", "b": "y"}, {}, "f:1: found the columns a, b; expected messages, prompt and response, or text"),
        ({"text": "x"}, {"text": "story"}, "f:1: found the columns text; expected story"),
        ({"text": "x"}, {"answer": "gold"}, "f:1: found the columns text; none is 'gold'"),
        ({"text": None}, {}, "f:1: text is missing, expected text"),
        ({"messages": "hello"}, {}, "f:1: messages is 'hello', expected a list of turns"),
        ({"messages": []}, {}, "expected a list of turns"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, {}, r"f:1: messages\[0\]: found the role 'wizard'"),
        ({"messages": [{"role": "user"}]}, {}, r"messages\[0\] is a dict, expected \{role, content\}"),
        ({"messages": [{"role": "user", "content": 3}]}, {}, r"messages\[0\]: content is 3, expected text"),
        ({"text": "x", "hops": "many"}, {}, "f:1: hops is 'many', expected a whole number"),
    ],
)
def test_what_cannot_be_read_is_named(row: dict[str, Any], columns: dict[str, str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        one(row, **columns)


def test_a_later_row_without_the_column_is_named() -> None:
    rows = [("f:1", {"text": "x"}), ("f:2", {"txet": "x"})]
    with pytest.raises(DataError, match="f:2: text is missing"):
        list(records_of(rows, Columns(), lambda form: None))
