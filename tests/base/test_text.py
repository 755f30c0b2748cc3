"""What is quoted in messages."""

from stacklab.base.text import cut, shown, visible


def test_control_characters_are_shown_by_their_numbers() -> None:
    assert visible("a\x1b[31m\x9b\u202eé\n\t🦊") == "a\\x1b[31m\\x9b\\u202eé\n\t🦊"


def test_values_are_quoted_on_one_line_and_cut() -> None:
    assert shown(None) == "None" and shown("a\nb\x1b") == r"'a\nb\x1b'"
    assert cut("x" * 200) == "x" * 200
    assert shown("x" * 300) == "'" + "x" * 199 + "... (302 characters)"


def test_values_that_python_cannot_write_out_are_named_by_their_kind() -> None:
    nested: list[object] = []
    for _ in range(100_000):
        nested = [nested]
    assert shown(10**5000) == "a value of type int, too large to be shown"
    assert shown(nested) == "a value of type list, too large to be shown"
