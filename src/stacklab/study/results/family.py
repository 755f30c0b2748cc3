"""The verdicts of a study's claims together: corrected for their number, and in words."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from stacklab.stats.multiplicity import Method, adjust
from stacklab.stats.result import PValue, Tested, Undefined
from stacklab.stats.verdict import Decision
from stacklab.stats.verdict import Verdict as Alone
from stacklab.study.spec.claim import ClaimSpec, confirmatory

Verdict = Literal["supported", "refuted", "equivalent", "negligible", "suggestive", "inconclusive", "invalid"]
"""Of a claim within its study. suggestive: clear by itself, but exploratory, or not after the correction for the family
of confirmatory claims. negligible: smaller than what matters."""
WORDS: dict[Verdict, str] = {"negligible": "smaller than what matters"}
SUGGESTIVE: dict[Alone, str] = {
    "supported": "suggestive",
    "refuted": "suggestive of the opposite",
    "equivalent": "suggestive of equivalence",
    "negligible": "suggestive of less than what matters",
}
"""What a suggestive verdict suggests, by what the claim is by itself."""


class Corrected(NamedTuple):
    """A claim within its study: whether it is confirmatory, its verdict after the correction, and adjusted tests."""

    confirmatory: bool
    verdict: Verdict
    holm: Tested
    benjamini_hochberg: Tested


def correct(claims: Sequence[ClaimSpec], decisions: Sequence[Decision]) -> list[Corrected]:
    """The verdicts of all claims of a study, after Holm's correction over the confirmatory ones (Holm 1979).

    Where a study has primary claims, the others are exploratory; without any, all are confirmatory. A clear verdict
    that does not hold after the correction, or is exploratory, is suggestive. A claim that says what matters may have
    two conclusions, which are corrected together: see `stats.multiplicity.holm`.
    """
    family = [number for number, is_one in enumerate(confirmatory(claims)) if is_one]
    tests = [decisions[number].test for number in family]
    leaving = [_leaving(claims[number], decisions[number]) for number in family]
    holm = adjusted(tests, "holm", leaving)
    within = adjust([decisions[number].within for number in family], method="holm", leaving=leaving)
    corrected = dict(zip(family, zip(holm, within, strict=True), strict=True))
    everywhere = adjusted([decision.test for decision in decisions], "benjamini-hochberg")
    exploratory = Undefined(reason="exploratory: not in the family of confirmatory claims"), None
    outcomes = []
    for number, (claim, decision) in enumerate(zip(claims, decisions, strict=True)):
        tested, less = corrected.get(number, exploratory)
        verdict = _corrected(claim, decision, tested, less)
        outcomes.append(Corrected(number in corrected, verdict, tested, everywhere[number]))
    return outcomes


def _leaving(claim: ClaimSpec, decision: Decision) -> float | None:
    """The p value with which all conclusions of the claim are drawn; None where it has none."""
    if not isinstance(decision.test, PValue):
        return None
    return decision.test.p if claim.matters is None else max(decision.test.p, decision.within)


def _corrected(claim: ClaimSpec, decision: Decision, holm: Tested, within: float | None) -> Verdict:
    """within: the corrected p value of a difference within what matters."""
    if decision.verdict == "inconclusive":
        return "inconclusive"
    if isinstance(holm, Undefined):
        return "suggestive"
    p = within if decision.verdict == "negligible" else holm.p
    return decision.verdict if p is not None and p <= claim.level else "suggestive"


def adjusted(tests: Sequence[Tested], method: Method, leaving: Sequence[float | None] | None = None) -> list[Tested]:
    """Each test, adjusted for all of them; leaving: see `stats.multiplicity.adjust`.

    A claim without a p value counts as p = 1, so that it does not weaken the correction of the others.
    """
    raw = [test.p if isinstance(test, PValue) else None for test in tests]
    return [
        PValue(p=p, n=test.n, method=f"{test.method}, {method} over {len(tests)}")
        if isinstance(test, PValue) and p is not None
        else test
        for test, p in zip(tests, adjust(raw, method=method, leaving=leaving), strict=True)
    ]
