"""One story while it is told: its draws, its world, and the sentences so far."""

from collections.abc import Sequence
from typing import Any

from stacklab.data.procedural.draw import Draw
from stacklab.data.stories.teller import Item, Memory, Person, write
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
