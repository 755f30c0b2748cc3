"""Sentences from forms: who is called by name and who by a pronoun is decided while a sentence is written.

A form is text with fields: `{a}` a character, `{a.he}` `{a.him}` `{a.his}` the pronoun where it is clear and the name
where it is not, `{a.name}` the bare name inside a quotation, `{a.sort}` (`a shy duck`), `{a.intro}` (`a shy duck named
Dot`), `{x}` a thing (`the ball`), `{x.a}` (`a red ball`), `{x.noun}`, `{x.full}` (`red ball`). Forms begin in lower
case; sentences are given their capitals at the end.
"""

import re
from functools import cache
from typing import Any

from stacklab.data.stories.world import Character, Thing

PRONOUNS = {"she": ("she", "her", "her"), "he": ("he", "him", "his")}


class Memory:
    """Who was named in the sentence being written, and in the last one before it that named anyone."""

    def __init__(self) -> None:
        self._now: list[Character] = []
        self._before: list[Character] = []

    def next_sentence(self) -> None:
        if self._now:
            self._before, self._now = self._now, []

    def name(self, who: Character) -> None:
        if who not in self._now:
            self._now.append(who)

    def is_clear(self, who: Character) -> bool:
        """Whether a pronoun can mean nobody else."""
        pool = self._now if who in self._now else [*self._before, *self._now]
        return {one for one in pool if one.gender == who.gender} == {who}


class Person:
    """A character in a form."""

    def __init__(self, who: Character, memory: Memory) -> None:
        self._who, self._memory = who, memory

    def __str__(self) -> str:
        self._memory.name(self._who)
        return self._who.name

    @property
    def name(self) -> str:
        return self._who.name

    @property
    def sort(self) -> str:
        return a_or_an(f"{self._who.trait} {self._who.kind}")

    @property
    def intro(self) -> str:
        return f"{self.sort} named {self}"

    @property
    def kind(self) -> str:
        return self._who.kind

    @property
    def trait(self) -> str:
        return self._who.trait

    @property
    def he(self) -> str:
        return self._pronoun(0) or str(self)

    @property
    def him(self) -> str:
        return self._pronoun(1) or str(self)

    @property
    def his(self) -> str:
        return self._pronoun(2) or f"{self}'s"

    def _pronoun(self, case: int) -> str | None:
        if not self._memory.is_clear(self._who):
            return None
        self._memory.name(self._who)
        return PRONOUNS[self._who.gender][case]


class Item:
    """A thing in a form."""

    def __init__(self, thing: Thing) -> None:
        self.noun, self.look = thing.noun, thing.look

    def __str__(self) -> str:
        return f"the {self.noun}"

    @property
    def a(self) -> str:
        return a_or_an(f"{self.look} {self.noun}")

    @property
    def full(self) -> str:
        return f"{self.look} {self.noun}"


def a_or_an(words: str) -> str:
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


_SENTENCE = re.compile(r"""(?:"[^"]*"|\{[^}]*\}|[^".!?{])+?(?:[.!?]|(?<=[.!?]")(?=\s+[A-Z{"]|$))\s*""")


def write(form: str, memory: Memory, fields: dict[str, Any]) -> str:
    """The form's sentences, with capitals."""
    written = []
    for sentence in _sentences(form):
        memory.next_sentence()
        written.append(_capital(sentence.format(**fields)))
    return " ".join(written)


@cache
def _sentences(form: str) -> list[str]:
    """The form cut into sentences; cached, since each of some thousand forms is used many times."""
    sentences = _SENTENCE.findall(form)
    assert "".join(sentences) == form, form
    return [sentence.strip() for sentence in sentences]


def _capital(sentence: str) -> str:
    start = 1 if sentence.startswith('"') else 0
    return sentence[:start] + sentence[start : start + 1].upper() + sentence[start + 1 :]
