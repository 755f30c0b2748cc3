"""Records as text: pieces of text with markers between them."""

import sys
from collections.abc import Sequence
from typing import Literal

from stacklab.data.record import Record, Turn
from stacklab.data.spec import Marker

Template = Literal["chatml", "plain"]
Piece = str | Marker
"""A Marker is one special token; any other string is text, even if it spells a marker."""


def render(record: Record, template: Template) -> list[Piece]:
    """The record and the marker that ends it.

    chatml (the form of Qwen2.5's own template, without its default system turn):
        <|im_start|>role NEWLINE content <|im_end|> NEWLINE, for each turn
    plain:
        Role: NEWLINE content, with a blank line between turns

    The reasoning of a turn precedes its content: see `REASONING`.
    """
    if not record.turns:
        return [record.text, Marker.END_OF_TEXT]
    return [*_turns(record.turns, template), Marker.END_OF_TEXT]


def answer_spans(record: Record, template: Template) -> list[list[tuple[int, int]]]:
    """For each piece of `render`, the ranges of its characters that are answers: what assistant turns think and
    say, and the marker that ends one. A marker is whole or not at all.
    """
    if template == "chatml":
        spans = [span for turn in record.turns for span in _chatml_spans(turn)]
        return [*spans, []] if record.turns else [[], []]
    ranges, begin = [], 0
    for turn in record.turns:
        header, length = len(_header(turn.role)), len(turn_text(turn, template))
        if turn.role == "assistant":
            ranges.append((begin + header, begin + header + length))
        begin += header + length + len(_BETWEEN)
    closing = bool(record.turns) and record.turns[-1].role == "assistant"
    return [ranges, [_WHOLE] if closing else []]


def _chatml_spans(turn: Turn) -> list[list[tuple[int, int]]]:
    if turn.role != "assistant":
        return [[], [], [], []]
    header = len(f"{turn.role}\n")
    return [[], [(header, header + len(turn_text(turn, "chatml")))], [_WHOLE], []]


def prompt_pieces(record: Record, template: Template) -> list[Piece]:
    """Everything before the content of the closing assistant turn, including its header."""
    turns = (*record.turns[:-1], Turn("assistant", ""))
    pieces = _turns(turns, template)
    return pieces[: -len(_CLOSING[template])] if _CLOSING[template] else pieces


def end_marker(template: Template, *, conversations: bool) -> Marker:
    """The marker that ends a generated answer, or a running text."""
    return Marker.TURN_END if conversations and template == "chatml" else Marker.END_OF_TEXT


def text_bytes(pieces: Sequence[Piece]) -> int:
    """UTF-8 bytes of the text. Markers count no bytes, so that tokenizers stay comparable."""
    return sum(len(piece.encode()) for piece in pieces if not isinstance(piece, Marker))


def turn_text(turn: Turn, template: Template) -> str:
    """The content of a turn after its reasoning, which stands between the template's marks."""
    if not turn.reasoning:
        return turn.content
    before, after = REASONING[template]
    return f"{before}{turn.reasoning}{after}{turn.content}"


def _turns(turns: Sequence[Turn], template: Template) -> list[Piece]:
    if template == "plain":
        return [_BETWEEN.join(_header(turn.role) + turn_text(turn, template) for turn in turns)]
    pieces: list[Piece] = []
    for turn in turns:
        pieces += [Marker.TURN_START, f"{turn.role}\n{turn_text(turn, template)}", *_CLOSING["chatml"]]
    return pieces


REASONING: dict[Template, tuple[str, str]] = {"chatml": ("<think>\n", "\n</think>\n"), "plain": ("", "\n\n")}
"""What stands before and after reasoning. `plain` has no marks, a blank line ends it."""


def _header(role: str) -> str:
    """What precedes a turn under the plain template."""
    return f"{role.capitalize()}:\n"


_BETWEEN = "\n\n"
_WHOLE = (0, sys.maxsize)
_CLOSING: dict[Template, list[Piece]] = {"chatml": [Marker.TURN_END, "\n"], "plain": []}
