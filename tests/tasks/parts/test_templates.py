import pytest
from pydantic import TypeAdapter, ValidationError

from stacklab.tasks.parts.templates import Templates, patterns, wildcards


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["ABAB", "BABA"], "templates 'ABAB' and 'BABA' are one pattern, ABAB: drop one"),
        (["AB", "CC", "DE"], "templates 'AB' and 'DE' are one pattern, AB: drop one"),
        (["AAB", "AB"], "templates differ in length: 'AAB' has 3, 'AB' has 2"),
        (["aab", "ABB"], "template 'aab': write wildcards as capital letters"),
        (["", "A"], "template ''"),
        (["AAB"], "at least 2 items"),
    ],
)
def test_lists_that_are_no_task_are_refused(given: list[str], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TypeAdapter(Templates).validate_python(given)


def test_wildcards_are_numbered_in_order_of_appearance() -> None:
    assert patterns(("BAB", "ZYX")).tolist() == [[0, 1, 0], [0, 1, 2]]
    assert wildcards(("BAB", "ZYX")) == 3
