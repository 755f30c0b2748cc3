"""Text from outside, made safe for a message, a terminal or a page. All that is printed goes through `say` or a console
of `make_console`."""

import functools
import sys
import unicodedata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console

LONGEST = 200
LONGEST_PRINTED = 4_000
"""Characters of one text on a terminal: a line, a paragraph, a cell of a table."""


def visible(text: str) -> str:
    """The text with control characters escaped, except line ends and tabs: they may harm a terminal or a page. Those
    that hide or reorder text (U+200B, U+202E) and halves of surrogate pairs are such characters too; blanks of any
    width are not.

    >>> visible("a" + chr(7) + "b")
    'a\\\\x07b'
    """
    if text.isprintable():
        return text
    return "".join(_escaped(c) for c in text)


def _escaped(character: str) -> str:
    keep = character in "\n\t" or character.isprintable() or unicodedata.category(character) == "Zs"
    return character if keep else repr(character)[1:-1]


def cut(text: str, most: int = LONGEST) -> str:
    """The first `most` characters; where text is cut, with its full length.

    >>> cut("abcdef", 3)
    'abc... (6 characters)'
    """
    return text if len(text) <= most else f"{text[:most]}... ({len(text)} characters)"


def one_line(text: str, most: int = LONGEST) -> str:
    """Visible text on one line, of limited length: a name in a line of its own must not look like two lines.

    >>> one_line("a" + chr(10) + "b")
    'a b'
    """
    return visible(cut(" ".join(text.split()), most))


def printed(text: str, most: int = LONGEST_PRINTED) -> str:
    """Text for a terminal: visible; of a long one, the first and the last part.

    >>> printed("abcdefghij", 4)
    'ab... (10 characters) ...ij'
    """
    if len(text) > most:
        text = f"{text[: most // 2]}... ({len(text)} characters) ...{text[-(most // 2) :]}"
    return visible(text)


def shown(value: object) -> str:
    """A value from outside as a message quotes it: on one line, and of limited length."""
    try:
        return cut(visible(repr(value)))
    except (ValueError, RecursionError):
        # Integers of thousands of digits; deeply nested lists.
        return f"a value of type {type(value).__name__}, too large to be shown"


def say(text: str, *, end: str = "\n", error: bool = False, whole: bool = False) -> None:
    """Print text at once. error: on standard error. whole: however long it is, as for what a command was run to print.

    Control characters are escaped whether or not the stream is a terminal, since a pipe often ends in one.
    """
    stream = sys.stderr if error else sys.stdout
    print(visible(text) if whole else printed(text), end=end, file=stream, flush=True)


def make_console(**options: Any) -> "Console":
    """A console that prints text as text: no markup, no emoji codes, no guessed colours; each text as `printed` has it.
    Colours are stated as styles. options: as of `rich.console.Console`."""
    return _console_class()(**{"markup": False, "emoji": False, "highlight": False} | options)


@functools.cache
def _console_class() -> "type[Console]":
    # Here because `stacklab --help` does not import rich.
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment
    from rich.text import Span, Text

    def cleaned(text: Text) -> Text:
        """The text with its styles where their characters now stand; without styles where it is shortened."""
        plain = text.plain
        clean = text.blank_copy(printed(plain))
        if len(plain) <= LONGEST_PRINTED:
            at = [0]
            for character in plain:
                at.append(at[-1] + len(visible(character)))
            clean.spans = [Span(at[span.start], at[min(span.end, len(plain))], span.style) for span in text.spans]
        return clean

    class TextConsole(Console):
        def render_str(self, text: str, **settings: Any) -> Text:
            return super().render_str(visible(text), **settings)

        def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> "Iterable[Segment]":
            # Tables and groups come back here with each of their texts.
            if isinstance(renderable, Text) and printed(renderable.plain) != renderable.plain:
                renderable = cleaned(renderable)
            return super().render(renderable, options)

    return TextConsole
