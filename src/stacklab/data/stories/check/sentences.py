"""A story's text as narrated sentences: what is said in quotation marks is set aside."""

import re

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
