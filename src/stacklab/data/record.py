"""The common form of all records, and when two of them are duplicates."""

import hashlib
import json
import unicodedata
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from stacklab.base.errors import DataError

ROLES = ("system", "user", "assistant", "tool")


Row = dict[str, Any]


class RowError(DataError):
    """One row cannot be read, others may be. `reason` is the same for all rows of one kind; the message has the
    place."""

    def __init__(self, place: str, reason: str, message: str) -> None:
        super().__init__(f"{place}: {message}")
        self.reason = reason


PlacedRow = tuple[str, Row | RowError]
"""Where a row stands, and the row, or why it cannot be read."""


@dataclass(frozen=True)
class Turn:
    """What one side says; `reasoning` is what it thinks before, which the template puts between its marks."""

    role: str
    content: str
    reasoning: str = ""

    @property
    def parts(self) -> list[str]:
        """Role and content, and the reasoning if there is one: what makes two turns equal."""
        return [self.role, self.content, *([self.reasoning] if self.reasoning else [])]


@dataclass(frozen=True)
class Record:
    """A conversation (`turns`) or a running text (`text`); one of the two is empty.

    `answer`, `hops` and `family` are facts about a problem. They are kept beside the record, never trained on.
    Records of one `group` fall into the same split; a record without one is its own group.
    """

    turns: tuple[Turn, ...] = ()
    text: str = ""
    answer: str | None = None
    hops: int | None = None
    family: str | None = None
    group: str | None = None

    @cached_property
    def digest(self) -> str:
        """32 hex digits of the normalised content; equal exactly for duplicates."""
        return _digest([_normalised(turn) for turn in self.turns] or normalise(self.text))

    @cached_property
    def prompt_digest(self) -> str | None:
        """The digest of the question alone: what precedes the closing assistant turn, without the system's turns.

        None when the record does not end with an assistant turn.
        """
        if not self.turns or self.turns[-1].role != "assistant":
            return None
        return _digest([_normalised(turn) for turn in self.turns[:-1] if turn.role != "system"])

    @property
    def split_key(self) -> str:
        """What decides into which split the record falls."""
        return self.digest if self.group is None else _digest(self.group)

    @property
    def is_empty(self) -> bool:
        return not self.text.strip() and not any(f"{turn.content}{turn.reasoning}".strip() for turn in self.turns)


@dataclass(frozen=True, eq=False)
class TokenRecord:
    """A record that is already token ids [T], without its end id."""

    ids: np.ndarray

    @cached_property
    def digest(self) -> str:
        return hashlib.blake2b(self.ids.astype("<u4").tobytes(), digest_size=16).hexdigest()

    @property
    def split_key(self) -> str:
        return self.digest

    @property
    def is_empty(self) -> bool:
        return len(self.ids) == 0


def normalise(text: str) -> str:
    """The text in NFC with uniform line ends, without trailing blanks: invisible differences are removed."""
    lines = unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join(line.rstrip() for line in lines).strip()


def _normalised(turn: Turn) -> list[str]:
    return [normalise(part) for part in turn.parts]


def _digest(content: object) -> str:
    text = json.dumps(content, ensure_ascii=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
