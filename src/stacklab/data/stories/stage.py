"""One story while it is told: its draws, its world, and the sentences so far.

Who is called by name and who by a pronoun is decided while a sentence is written. A form is text with fields: `{a}` a
character, `{a.he}` `{a.him}` `{a.his}` the pronoun where it is clear and the name where it is not, `{a.name}` the bare
name inside a quotation, `{a.sort}` (`a shy duck`), `{a.intro}` (`a shy duck named Dot`), `{x}` a thing (`the ball`),
`{x.a}` (`a red ball`), `{x.noun}`, `{x.full}` (`red ball`). Forms begin in lower case; sentences are given their
capitals at the end.
"""

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from stacklab.data.procedural.draw import Draw
from stacklab.data.stories.words import (
    ANIMALS,
    BOY_NAMES,
    COLOURS,
    FIXTURES,
    GIRL_NAMES,
    HE_ANIMAL_NAMES,
    HE_ELDERS,
    LOOKS,
    SHE_ANIMAL_NAMES,
    SHE_ELDERS,
    THINGS,
    TRAITS,
)
from stacklab.data.stories.world import Character, Gender, Spot, Thing, World

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


Forms = Sequence[str]
PREPOSITIONS = ("under", "behind", "next to", "near")
SHARE_OF_LITTLE = 3
"""One trait in this many is the plain `little`."""


class Stage:
    """`a` is the hero, `b` a friend and `m` an elder; forms call them by these letters."""

    def __init__(self, rng: Draw) -> None:
        self.rng = rng
        self.world = World()
        self.memory = Memory()
        self.a = self._draw_character(TRAITS, ANIMALS, [])
        others = [kind for kind in ANIMALS if kind != self.a.kind]
        self.b = self._draw_character([trait for trait in TRAITS if trait != self.a.trait], others, [self.a.name])
        gender: Gender = rng.pick(("she", "he"))
        self.m = Character(rng.pick(SHE_ELDERS if gender == "she" else HE_ELDERS), "elder", gender, "kind")
        self._fields: dict[str, Any] = {key: Person(getattr(self, key), self.memory) for key in "abm"}
        self._paragraphs: list[list[str]] = [[]]
        self._used: set[str] = set()

    @property
    def text(self) -> str:
        return "\n".join(" ".join(sentences) for sentences in self._paragraphs)

    def thing(self, key: str, nouns: Sequence[str] = THINGS, looks: Sequence[str] = (*COLOURS, *LOOKS)) -> Thing:
        """A new thing, known to the forms as `key`."""
        used = [field.noun for field in self._fields.values() if isinstance(field, Item)]
        noun = self.rng.pick([noun for noun in nouns if noun not in used])
        made = Thing(noun, self.rng.pick([look for look in looks if look != noun]))
        self._fields[key] = Item(made)
        return made

    def spots(self, place: str, count: int) -> list[Spot]:
        """Different spots of a place."""
        fixtures = self.rng.some(FIXTURES[place], count)
        return [Spot(place, f"{self.rng.pick(PREPOSITIONS)} the {fixture}") for fixture in fixtures]

    def tell(self, forms: Forms, *, leads: Forms = ("",), **fields: Any) -> None:
        """Write one of the forms, preferably one that this story has not used; `leads` may begin it."""
        fresh = [form for form in forms if form not in self._used]
        form = self.rng.pick(fresh or forms)
        self._used.add(form)
        lead = self.rng.pick(leads)
        text = write(f"{lead} {form}" if lead else form, self.memory, self._fields | fields)
        self._paragraphs[-1].append(text)

    def maybe(self, forms: Forms, **fields: Any) -> None:
        """As `tell`, with probability 1/2."""
        if self.rng.whole(0, 1):
            self.tell(forms, **fields)

    def paragraph(self) -> None:
        """Begin a paragraph."""
        self._paragraphs.append([])

    def _draw_character(self, traits: Forms, animals: Forms, taken: list[str]) -> Character:
        gender: Gender = self.rng.pick(("she", "he"))
        if self.rng.whole(0, 1):
            kind = "girl" if gender == "she" else "boy"
            names: Forms = GIRL_NAMES if gender == "she" else BOY_NAMES
        else:
            kind = self.rng.pick(animals)
            names = SHE_ANIMAL_NAMES if gender == "she" else HE_ANIMAL_NAMES
        trait = "little" if self.rng.whole(1, SHARE_OF_LITTLE) == 1 else self.rng.pick(traits)
        return Character(self.rng.pick([name for name in names if name not in taken]), kind, gender, trait)
