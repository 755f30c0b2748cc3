"""Whether a story is consistent, judged from its text alone. Serves tests and pages only.

The checker shares the word lists with the generator and nothing else: it reads names, pronouns, places and things back
out of the sentences. It judges consistency, not grammar, and only what is said in words it knows.
"""

import re

from stacklab.data.stories.check.people import People, introductions
from stacklab.data.stories.check.things import Things

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
