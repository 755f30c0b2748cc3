"""What is quoted in messages and printed on terminals."""

import io

import pytest
from rich.table import Table
from rich.text import Text

from stacklab.base.text import LONGEST_PRINTED, cut, make_console, one_line, printed, say, shown, visible

HOSTILE = "\x1b[2J[red]x[/red] [/] :bomb: \x9b31m\u202eevil\u200b\x7f"
SEEN = "\\x1b[2J[red]x[/red] [/] :bomb: \\x9b31m\\u202eevil\\u200b\\x7f"


def test_control_characters_are_shown_by_their_numbers() -> None:
    assert visible("a\x1b[31m\x9b\u202eé\n\t🦊") == "a\\x1b[31m\\x9b\\u202eé\n\t🦊"
    assert visible("half \ud83e of a pair, \u2028 a line end") == "half \\ud83e of a pair, \\u2028 a line end"


def test_blanks_of_any_width_are_text() -> None:
    assert visible("95\u00a0% 中\u3000文\u202fm") == "95\u00a0% 中\u3000文\u202fm"


def test_values_are_quoted_on_one_line_and_cut() -> None:
    assert shown(None) == "None" and shown("a\nb\x1b") == r"'a\nb\x1b'"
    assert cut("x" * 200) == "x" * 200
    assert shown("x" * 300) == "'" + "x" * 199 + "... (302 characters)"
    assert one_line("a\r\nb\x1b" + "c" * 300) == "a b\\x1b" + "c" * 196 + "... (304 characters)"


def test_values_that_python_cannot_write_out_are_named_by_their_kind() -> None:
    nested: list[object] = []
    for _ in range(100_000):
        nested = [nested]
    assert shown(10**5000) == "a value of type int, too large to be shown"
    assert shown(nested) == "a value of type list, too large to be shown"


def test_a_console_prints_text_as_it_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    output = io.StringIO()
    console = make_console(file=output, width=400, force_terminal=True, color_system=None)
    table = Table(HOSTILE, "", title=HOSTILE, caption=HOSTILE)
    table.add_row(HOSTILE, Text(HOSTILE))
    console.print(table)
    console.print(HOSTILE)
    console.print(Text(HOSTILE), HOSTILE)
    assert "\x1b" not in output.getvalue()
    # Of seven texts and a `Text` in a cell, which is wrapped, since its width is measured as it was.
    assert output.getvalue().count(SEEN) == 7 and output.getvalue().count("evil") == 8
    say(HOSTILE)
    say(HOSTILE, error=True)
    assert capsys.readouterr() == (SEEN + "\n", SEEN + "\n")


def test_styles_stay_with_their_characters() -> None:
    output = io.StringIO()
    console = make_console(file=output, width=80, force_terminal=True, color_system="standard")
    console.print(Text.assemble(("\x1b", "red"), "plain", ("end", "green")))
    assert output.getvalue() == "\x1b[31m\\x1b\x1b[0mplain\x1b[32mend\x1b[0m\n"


def test_tables_keep_their_columns_around_control_characters() -> None:
    output = io.StringIO()
    table = Table("a", "b")
    table.add_row(Text("\x1b\x1b\x1b\x1b\x1b\x1b"), "x")
    make_console(file=output, width=40).print(table)
    assert len({len(line) for line in output.getvalue().splitlines()}) == 1


def test_long_text_is_shortened_in_the_middle(capsys: pytest.CaptureFixture[str]) -> None:
    text = "first " + "x" * 100_000 + " last"
    output = io.StringIO()
    make_console(file=output, width=200_000).print(text)
    say(text)
    for got in (output.getvalue(), capsys.readouterr().out):
        assert got.startswith("first x") and got.endswith("x last\n") and "... (100011 characters) ..." in got
        assert len(got) < LONGEST_PRINTED + 50
    say(text, whole=True)
    assert capsys.readouterr().out == text + "\n"
    assert printed("x" * LONGEST_PRINTED) == "x" * LONGEST_PRINTED
