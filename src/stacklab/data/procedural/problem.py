"""What every family of problems has in common: its interface, and the text of facts and question with its parser."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from stacklab.base.errors import DataError
from stacklab.data.procedural.draw import Draw

LAYOUTS = (
    "{facts} {question}",
    "{question} {facts}",
    "Facts: {facts} Question: {question}",
    "Question: {question} Facts: {facts}",
    "Here is a puzzle. {facts} {question}",
    "{question} This is what we know. {facts}",
)
_NOT_A_FACT = re.compile(r"Facts:|Question:|Here is a puzzle\.|This is what we know\.")
_SENTENCE = re.compile(r"\s*([^.?]+)[.?]")


@dataclass(frozen=True, slots=True)
class RenderedProblem:
    """A rendered problem: the user's text, one sentence of reasoning per hop, and the answer, a single word."""

    question: str
    steps: tuple[str, ...]
    answer: str


class Family(Protocol):
    """A kind of problem. Each family is a module with these two functions."""

    def sample(self, rng: Draw, hops: int) -> RenderedProblem:
        """A problem that takes `hops` steps."""

    def solve(self, text: str) -> str:
        """The answer, from the user's text alone. Raises DataError when the text is not of this family."""


def lay_out(rng: Draw, facts: Sequence[str], question: str) -> str:
    """Facts and question as one text, in a random layout."""
    return rng.pick(LAYOUTS).format(facts=" ".join(facts), question=question)


Patterns = Mapping[str, Sequence[re.Pattern[str]]]


def patterns(**kinds: Sequence[str]) -> Patterns:
    """Compiled patterns by kind of sentence."""
    return {kind: tuple(re.compile(text) for text in texts) for kind, texts in kinds.items()}


def read(text: str, known: Patterns) -> Iterator[tuple[str, dict[str, str]]]:
    """(kind, named groups) of each sentence in turn.

    Raises DataError when a sentence fits no pattern, so that a solver never answers from a text read in part.
    """
    body = _NOT_A_FACT.sub("", text)
    if _SENTENCE.sub("", body).strip():
        raise DataError(f"problem text: the last sentence does not end in '.' or '?': {text!r}")
    for sentence in _SENTENCE.findall(body):
        yield _match(sentence, known)


def _match(sentence: str, known: Patterns) -> tuple[str, dict[str, str]]:
    for kind, alternatives in known.items():
        for pattern in alternatives:
            if match := pattern.fullmatch(sentence):
                return kind, match.groupdict()
    raise DataError(f"problem text: cannot read {sentence!r}; expected a {' or '.join(known)} sentence")
