"""Verdicts as printed: a glyph and a colour, so that neither carries the meaning alone, and the sentence on why."""

from typing import NamedTuple

from stacklab.base.units import confidence
from stacklab.report.facts.contrasts import ContrastFact
from stacklab.stats.comparison import COMPARISONS
from stacklab.stats.needed import needed_text
from stacklab.stats.result import Undefined
from stacklab.stats.verdict import Relation
from stacklab.study.results.analyse import ClaimResult
from stacklab.study.results.family import Verdict


class Mark(NamedTuple):
    glyph: str
    color: str
    terminal: str
    """The colour's name in a terminal."""
    css: str = "open"
    """Its class on the page."""


MARKS: dict[Verdict, Mark] = {
    "supported": Mark("✓", "#00835F", "green", "good"),
    "equivalent": Mark("≈", "#00835F", "green", "good"),
    "negligible": Mark("≈", "#00835F", "green", "good"),
    "refuted": Mark("✗", "#C24F00", "red", "bad"),
    "suggestive": Mark("~", "#6B6B6B", "yellow"),
    "inconclusive": Mark("?", "#6B6B6B", "yellow"),
    "invalid": Mark("!", "#A3457C", "magenta", "invalid"),
}
TOO_SHORT = Mark("…", "#6B6B6B", "bright_black")
"""A verdict on runs that were too short for it."""


def mark_of(claim: ClaimResult) -> Mark:
    return TOO_SHORT if claim.too_short else MARKS[claim.verdict]


RELATIONS: dict[Relation, str] = {
    "excludes zero": "excludes 0",
    "lies on the side not claimed": "lies on the side not claimed",
    "includes zero": "includes 0",
    "includes zero with one more seed at the worst end": "excludes 0, but not with one more seed at the worst end",
    "lies within the margin": "lies within ±{margin:g}",
    "lies outside the margin": "lies outside ±{margin:g}",
    "crosses the margin": "crosses ±{margin:g}",
    "lies within the margin of too few seeds": "lies within ±{margin:g}, but so few seeds could miss rarer failures",
    "lies within what matters": "lies within ±{matters:.3g}, the smallest difference that matters",
}


def demonstration_text(scale: str) -> str:
    """The notice on a scale that does not answer its study's question."""
    return f"Scale {scale} shows the machinery: its runs are too short to answer the question."


def reason_text(claim: ClaimResult) -> str:
    """Why the verdict is what it is, with the interval that decides: a sentence that stands alone."""
    interval = claim.interval
    if isinstance(interval, Undefined):
        return interval.reason
    ends = f"[{interval.low:+.4g}, {interval.high:+.4g}]"
    return f"{confidence(interval.level)} {_word(claim)}interval of the difference {ends} {_relation(claim)}"


def why(claim: ClaimResult) -> str:
    """The reason beside the printed interval, the number of seeds that would suffice, and whether the claim was made
    after the data."""
    interval = claim.interval
    if isinstance(interval, Undefined):
        reason = interval.reason
    else:
        # An equivalence is judged on a narrower interval than the one that stands beside it.
        level = f"{confidence(interval.level)} " if claim.alone == "equivalent" else ""
        reason = f"the {level}{_word(claim)}interval {_relation(claim)}"
    needed = claim.seeds_needed
    # Values that allow no interval allow no such number either, for the same reason: once is enough.
    if needed is not None and needed != interval:
        reason += f"; {needed_text(needed)}"
    return f"{reason}; claim {claim.afterthought}" if claim.afterthought else reason


def values_text(claim: ContrastFact) -> str:
    """How many values a difference rests on: pairs, which are one seed of both arms, or the runs of each arm."""
    count = len(claim.pairs)
    if claim.pairing == "unpaired":
        return f"{count} against {count} runs, unpaired"
    return f"{count} pair{'' if count == 1 else 's'}"


def _word(claim: ClaimResult) -> str:
    return COMPARISONS[claim.pairing].word


def _relation(claim: ClaimResult) -> str:
    assert claim.relation is not None, "an interval that decides lies somewhere"
    return RELATIONS[claim.relation].format(margin=claim.claim.margin, matters=claim.matters)
