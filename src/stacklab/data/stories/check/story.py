"""Whether a story is consistent, judged from its text alone. Serves tests and pages only.

The checker shares the word lists with the generator and nothing else: it reads names, pronouns, places and things back
out of the sentences. It judges consistency, not grammar, and only what is said in words it knows.
"""

import re
from dataclasses import dataclass, field

from stacklab.data.stories.check.people import NAMES, PLACE_OF, People, introductions
from stacklab.data.stories.words import BABIES, BABY_LOOKS, COLOURS, FOODS, LOOKS, TASTES, THINGS

_LOOK = "|".join(sorted({*COLOURS, *LOOKS, *TASTES, *BABY_LOOKS}))
_NOUN = "|".join(sorted({*THINGS, *FOODS, *BABIES}, key=len, reverse=True))
_SPOT = rf"(?:under|behind|next to|near) the (?:{'|'.join(sorted(PLACE_OF, key=len, reverse=True))})\b"
_NAME = r"(?:[A-Z][a-z]+)"
_IT = rf"(?:[Tt]he (?:(?:{_LOOK}) )?(?P<noun>{_NOUN})\b(?! (?:{_NOUN}))|(?P<it>it)\b)"

_NEW = re.compile(rf"\b[Aa]n? (?P<look>{_LOOK}) (?P<noun>{_NOUN})\b(?! (?:{_NOUN}))")
_KNOWN = re.compile(rf"\b[Tt]he (?:(?P<look>{_LOOK}) )?(?P<noun>{_NOUN})\b(?!\w)")
_FINDS_SPOT = re.compile(_SPOT)
_SUBJECT = re.compile(rf"\b({_NAME})\b(?!')")

EVENTS = {
    "lie": re.compile(rf"{_IT} (?:fell|landed|slipped|dropped) (?P<spot>{_SPOT})"),
    "drop": re.compile(rf"(?:dropped|put) {_IT} (?P<spot>{_SPOT})"),
    "take": re.compile(rf"(?:picked up|found) {_IT}"),
    "lift": re.compile(rf"picked {_IT} up"),
    "grab": re.compile(rf"took {_IT}(?! along| with| everywhere)"),
    "have": re.compile(rf"(?:took|held|carried|played with|shared) {_IT}"),
    "give": re.compile(rf"(?:gave|handed) {_IT} to (?P<taker>{_NAME})"),
    "give_to": re.compile(rf"gave (?P<taker>{_NAME}) {_IT}"),
    "gone": re.compile(rf"{_IT} was (?:gone|not there)"),
}


@dataclass
class Things:
    """`keeper` of each thing: a name, a spot, or None where the story does not say."""

    look: dict[str, str] = field(default_factory=dict)
    keeper: dict[str, str | None] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)
    _last: str = ""
    _spot: str | None = None
    _looked: str | None = None
    _subject: str | None = None

    def read(self, plain: str) -> None:
        """A sentence whose pronouns are names."""
        spots = _FINDS_SPOT.findall(plain)
        self._introduce(plain, spots)
        for match in _KNOWN.finditer(plain):
            self._known(match["noun"], match["look"])
        matches = [(match.start(), kind, match) for kind, event in EVENTS.items() for match in event.finditer(plain)]
        for place, kind, match in sorted(matches, key=lambda entry: entry[0]):
            subjects = [name for name in _SUBJECT.findall(plain[:place]) if name in NAMES]
            self._subject = subjects[-1] if subjects else self._subject
            self._happen(kind, match, spots)
        self._look_there(plain, spots)
        names = [name for name in _SUBJECT.findall(plain) if name in NAMES]
        self._subject = names[0] if names else self._subject
        self._spot = spots[-1] if spots else None
        if spots and re.search(r"looked|searched|was", plain):
            self._looked = spots[-1]

    def finish(self) -> None:
        self.faults += [f"the {noun} is never found" for noun in sorted(self.lost)]

    def _introduce(self, plain: str, spots: list[str]) -> None:
        for match in _NEW.finditer(plain):
            noun = match["noun"]
            self._last = noun
            if noun in self.look:
                self._known(noun, match["look"])
                continue
            self.look[noun] = match["look"]
            before = re.findall(rf"({_NAME})(?:'s best toy was| had| got)", plain[: match.start()])
            after = re.search(rf"gave ({_NAME}) $", plain[: match.start()])
            spot = spots[-1] if spots else self._spot if plain.startswith("It was") else None
            self.keeper[noun] = spot or (after[1] if after else before[-1] if before else None)

    def _known(self, noun: str, look: str | None) -> None:
        self._last = noun
        if noun not in self.look:
            self.faults.append(f"the {noun} comes from nowhere")
        elif look is not None and self.look[noun] != look:
            self.faults.append(f"the {self.look[noun]} {noun} is {look}")

    def _happen(self, kind: str, match: re.Match[str], spots: list[str]) -> None:
        noun = match["noun"] or self._last
        if noun not in self.keeper:
            return
        keeper, who = self.keeper[noun], self._subject
        if kind in ("take", "lift", "grab"):
            spot = spots[-1] if spots else self._looked
            if keeper in NAMES or (spot and keeper != spot):
                self._wrong(noun, f"{who} takes it {spot or 'from there'}")
            self.keeper[noun] = who
            self.lost.discard(noun)
        elif kind == "have" or kind.startswith("give"):
            if keeper != who:
                self._wrong(noun, f"{who} has it")
            if kind.startswith("give"):
                self.keeper[noun] = match["taker"]
        elif kind == "gone":
            if keeper in NAMES:
                self._wrong(noun, "it is gone")
        else:
            if keeper not in NAMES or (kind == "drop" and keeper != who):
                self._wrong(noun, f"{who} drops it")
            self.keeper[noun] = match["spot"]
            if kind == "lie" or "forgot" in match.string or "tripped" in match.string:
                self.lost.add(noun)

    def _look_there(self, plain: str, spots: list[str]) -> None:
        """`X was under the slide` must be true, `only dust under the slide` must be too."""
        for match in re.finditer(rf"{_IT} was (?P<spot>{_SPOT})", plain):
            noun = match["noun"] or self._last
            if self.keeper.get(noun) != match["spot"]:
                self._wrong(noun, f"it is {match['spot']}")
        if re.search(r"only|just|but no", plain) and any(keeper in spots for keeper in self.keeper.values()):
            self.faults.append(f"something is there after all: {plain}")

    def _wrong(self, noun: str, claim: str) -> None:
        self.faults.append(f"the {noun} is with {self.keeper.get(noun)}, but {claim}")


_MORAL = re.compile(r"(?:learned|knew|never forgot|moral of the story is) that (.+)")
_OVERCOME = re.compile(r"(?:not afraid|no longer scared) of ([a-z ]+?)(?: any more)?\.|[Nn]ow ([a-z ]+) did not scare")
EVIDENCE = {
    r"\bshar(?:e|es|ing)\b": r"\bshared\b",
    r"\bsorry\b": r"\bsorry\b",
    r"\b(?:afraid|scary|scared)\b": r"\b(?:afraid|scared)\b",
    r"\brules?\b|\blisten\b": r"\bmust not\b|\bdo not\b|Do not\b",
    r"\blost\b": r"\bgone\b|\blost\b|\bnot (?:there|find)\b|\bmother\b",
    r"\btrade\b": r"\btrade\b",
    r"\bwin\b": r"\b(?:raced?|won)\b",
    r"\bsurprise\b": r"\bsurprise\b",
}
"""What a moral speaks of, and what must have happened for it."""


def faults(text: str) -> list[str]:
    """One sentence per fault; empty for a consistent story.

    >>> faults("Once upon a time there was a little girl named Mia. He had a red ball.")
    ["'he' is nobody"]
    """
    kinds, problems = introductions(text)
    people, things = People(kinds), Things()
    for sentence in narrated(text):
        things.read(people.read(sentence))
    things.finish()
    if not people.place:
        problems.append("nobody is named")
    if not re.search(r'[.!?]"?$', text.strip()):
        problems.append("the last sentence does not end")
    return [*problems, *speech_faults(text), *people.faults, *things.faults, *_ending_faults(text)]


def _ending_faults(text: str) -> list[str]:
    problems = []
    body, moral = text, ""
    for match in _MORAL.finditer(text):
        body, moral = text[: match.start()], match[1]
    for topic, evidence in EVIDENCE.items():
        if re.search(topic, moral) and not re.search(evidence, body, re.IGNORECASE):
            problems.append(f"nothing in the story leads to the moral: {moral}")
    for match in _OVERCOME.finditer(text):
        fear = match[1] or match[2]
        if not re.search(rf"(?:afraid|scared) of (?:[a-z ]+, and that was )?{fear}\b", text[: match.start()]):
            problems.append(f"nobody was afraid of {fear}")
    return problems


_QUOTE = re.compile(r'"([^"]*)"')
_END = re.compile(r'(?<=[.!?])\s+|(?<=[.!?]")\s+(?=[A-Z"])')
_SPEECH = re.compile(r'"([^"]*)" (?:said|asked|cried|shouted|thought|called) ([A-Z][a-z]+)')
_ADDRESSED = re.compile(r", ([A-Z][a-z]+)[.!?,]")


def narrated(text: str) -> list[str]:
    """The sentences, each quotation cut down to its marks and its last sign: `"?" asked Mia.`

    >>> narrated('Mia ran. "Where is it?" asked Tom.')
    ['Mia ran.', '"?" asked Tom.']
    """
    bare = _QUOTE.sub(lambda quote: f'"{quote[1][-1:]}"', text)
    return [sentence for sentence in _END.split(bare.strip()) if sentence]


def speech_faults(text: str) -> list[str]:
    """Marks that do not close, and speakers who call themselves by name."""
    faults = []
    if text.count('"') % 2:
        faults.append("a quotation is not closed")
    for quote, speaker in _SPEECH.findall(text):
        if speaker in _ADDRESSED.findall(quote):
            faults.append(f"{speaker} speaks to {speaker}")
    return faults
