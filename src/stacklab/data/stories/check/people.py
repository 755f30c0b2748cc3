"""Who a sentence speaks of: names introduced, pronouns resolved, everyone where the story is."""

import re
from dataclasses import dataclass, field

from stacklab.data.stories.words import FIXTURES, HE_ELDERS, HE_NAMES, HOME, KINDS, SHE_ELDERS, SHE_NAMES

ELDERS = frozenset(SHE_ELDERS + HE_ELDERS)
NAMES = SHE_NAMES | HE_NAMES
GENDER = {"she": "she", "her": "she", "he": "he", "him": "he", "his": "he"}
PLACE_OF = {fixture: place for place, fixtures in FIXTURES.items() for fixture in fixtures}

_A_KIND = rf"\b[Aa]n? (?:[a-z]+ )?({'|'.join(KINDS)})"
_ANY_NAME = rf"\b(?:{'|'.join(sorted(NAMES))})\b"
_INTRODUCED = re.compile(rf"{_A_KIND} (?:named|called) ({_ANY_NAME})|({_ANY_NAME})(?: was|,) {_A_KIND}\b")
_IT_WAS = re.compile(rf"{_A_KIND}\. It was ([A-Z][a-z]+)")
_WORD = re.compile(r"[A-Za-z]+(?:'s)?")
_SOMEONE = r"([A-Z][a-z]+(?: and [A-Z][a-z]+)?|[Tt]hey)"
_MOVED = re.compile(
    rf"{_SOMEONE} (?:went|ran|walked|hurried|skipped|marched|raced)(?: all the way| slowly)? "
    rf"(?:to the ({'|'.join(FIXTURES)})|(home))\b"
)
_AT_FIXTURE = re.compile(rf"\bthe ({'|'.join(sorted(PLACE_OF, key=len, reverse=True))})\b")


@dataclass
class People:
    """`place` of everyone named so far; the hero is the first of them."""

    kinds: dict[str, str]
    place: dict[str, str | None] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    _before: list[str] = field(default_factory=list)

    @property
    def here(self) -> str | None:
        return next(iter(self.place.values()), None)

    def read(self, sentence: str) -> str:
        """The sentence with pronouns replaced by names; places are brought up to date."""
        now: list[str] = []
        plain = _WORD.sub(lambda word: self._word(word[0], sentence[word.end() :], now), sentence)
        self._move(plain)
        for name in now:
            if self.place[name] != self.here:
                self.faults.append(f"{name} is at {self.place[name]}, the story at {self.here}: {sentence}")
        self._before = now or self._before
        return plain

    def _word(self, word: str, rest: str, now: list[str]) -> str:
        bare = word.removesuffix("'s")
        if bare in NAMES:
            self._name(bare, now)
            return word
        if word.lower() == "they" and len(self.place) < 2:
            self.faults.append("'they' with nobody else in the story")
        gender = GENDER.get(word.lower())
        if gender is None:
            return word
        name = self._meant(gender, now)
        if name is None:
            return word
        self._name(name, now)
        return f"{name}'s" if word.lower() == "his" or (word.lower() == "her" and rest[:1] == " ") else name

    def _name(self, name: str, now: list[str]) -> None:
        if name not in self.place:
            self.place[name] = self.here
            if name not in ELDERS and name not in self.kinds:
                self.faults.append(f"{name} is never introduced")
        if name not in now:
            now.append(name)

    def _meant(self, gender: str, now: list[str]) -> str | None:
        """The only one of that gender in this sentence so far, else in the last one that named anyone."""
        names = SHE_NAMES if gender == "she" else HE_NAMES
        for pool in (now, [*self._before, *now]):
            fitting = {name for name in pool if name in names}
            if len(fitting) > 1:
                self.faults.append(f"'{gender}' may be {' or '.join(sorted(fitting))}")
                return None
            if fitting:
                return fitting.pop()
        self.faults.append(f"'{gender}' is nobody")
        return None

    def _move(self, plain: str) -> None:
        for who, place, home in _MOVED.findall(plain):
            names = list(self.place) if who.lower() == "they" else who.split(" and ")
            for name in names:
                if name in self.place:
                    self.place[name] = place or (HOME if home else None)
        for fixture in _AT_FIXTURE.findall(plain):
            if self.here is None:
                self.place = dict.fromkeys(self.place, PLACE_OF[fixture])
            elif PLACE_OF[fixture] != self.here:
                self.faults.append(f"the {fixture} is at {PLACE_OF[fixture]}, the story at {self.here}")


def introductions(text: str) -> tuple[dict[str, str], list[str]]:
    """Each name's kind, and faults: two kinds for one name, a girl with a boy's name."""
    introduced = [(match[1] or match[2], match[0] or match[3]) for match in _INTRODUCED.findall(text)]
    introduced += [(name, kind) for kind, name in _IT_WAS.findall(text)]
    kinds: dict[str, str] = {}
    faults = []
    for name, kind in introduced:
        if kinds.setdefault(name, kind) != kind:
            faults.append(f"{name} is a {kinds[name]} and a {kind}")
        if (kind == "girl" and name in HE_NAMES) or (kind == "boy" and name in SHE_NAMES):
            faults.append(f"{name} is no name of a {kind}")
    for kind in re.findall(rf"\bthe ({'|'.join(KINDS)})\b", text):
        if kind not in kinds.values():
            faults.append(f"there is no {kind}")
    return kinds, faults
