"""How a verdict looks: a glyph and a colour, so that neither has to carry the meaning alone; and why it was given."""

from typing import NamedTuple, Protocol

from stacklab.report.facts.schema import ContrastFact
from stacklab.stats.comparison import COMPARISONS, Pairing
from stacklab.stats.needed import needed_text
from stacklab.stats.result import Estimate, Result, SeedsNeeded, Undefined


class Mark(NamedTuple):
    glyph: str
    color: str
    terminal: str
    """The colour's name in a terminal."""
    meaning: str


MARKS: dict[str, Mark] = {
    "supported": Mark("✓", "#00835F", "green", "the interval lies on the claimed side of zero"),
    "equivalent": Mark("≈", "#00835F", "green", "the interval lies within the margin"),
    "refuted": Mark("✗", "#C24F00", "red", "the interval lies on the other side, or outside the margin"),
    "inconclusive": Mark("?", "#6B6B6B", "yellow", "the interval includes zero, or crosses the margin"),
    "invalid": Mark("!", "#A3457C", "magenta", "a run is missing or diverged, or the batches differ"),
}


class Judged(Protocol):
    """What a verdict's reason is told from: a result of the analysis or a fact of the report."""

    @property
    def verdict(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def difference(self) -> Result: ...
    @property
    def pairing(self) -> Pairing: ...
    @property
    def seeds_needed(self) -> SeedsNeeded | None: ...
    @property
    def afterthought(self) -> str: ...


def why(claim: Judged) -> str:
    """The reason, without the interval where that stands beside it, how many seeds would do, and whether the claim
    came after the data."""
    reason = claim.reason
    if claim.verdict != "invalid" and isinstance(claim.difference, Estimate):
        # An equivalence is judged on a narrower interval than the one that stands beside it.
        level = f"{reason.split()[0]} " if claim.verdict == "equivalent" else ""
        reason = f"the {level}{COMPARISONS[claim.pairing].word}interval {reason.rpartition('] ')[2]}"
    needed = claim.seeds_needed
    # What allows no interval allows no such number either; once is enough.
    if needed is not None and not (isinstance(needed, Undefined) and needed.reason == claim.reason):
        reason += f"; {needed_text(needed)}"
    return f"{reason}; claim {claim.afterthought}" if claim.afterthought else reason


def values_text(claim: ContrastFact) -> str:
    """How many values stand behind a difference.

    A pair is one seed of both arms; without pairs the runs of each arm count.
    """
    count = len(claim.pairs)
    if claim.pairing == "unpaired":
        return f"{count} against {count} runs, unpaired"
    return f"{count} pair{'' if count == 1 else 's'}"
