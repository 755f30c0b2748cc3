"""Verdicts of all claims of a study together, against Holm's procedure by hand."""

from typing import Any

import pytest

from stacklab.stats.result import PValue, Undefined
from stacklab.stats.verdict import Decision, Verdict
from stacklab.study.results.family import correct
from stacklab.study.spec.claim import ClaimSpec

NONE = Undefined(reason="not needed here")


def claim(**change: Any) -> ClaimSpec:
    fields = {"id": "c", "statement": "s", "metric": "validation.loss", "arm": "a", "against": ("b",)}
    return ClaimSpec(**fields | {"direction": "lower"} | change)


def decision(verdict: Verdict, p: float | None, within: float = 1.0) -> Decision:
    test = NONE if p is None else PValue(p=p, n=5, method="t")
    return Decision(verdict, NONE, None, test, within)


def verdicts(*rows: tuple[ClaimSpec, Decision]) -> list[str]:
    return [outcome.verdict for outcome in correct([row[0] for row in rows], [row[1] for row in rows])]


def test_one_claim_keeps_its_level() -> None:
    assert verdicts((claim(), decision("supported", 0.049))) == ["supported"]


def test_without_primary_claims_all_share_the_level() -> None:
    """Holm: 0.01 x 3, then 0.03 x 2, which is above 0.05."""
    rows = [decision("supported", 0.01), decision("refuted", 0.03), decision("inconclusive", 0.9)]
    assert verdicts(*((claim(), row) for row in rows)) == ["supported", "suggestive", "inconclusive"]


def test_an_invalid_claim_makes_it_no_easier_for_the_others() -> None:
    assert verdicts((claim(), decision("supported", 0.03)), (claim(), decision("inconclusive", None))) == [
        "suggestive",
        "inconclusive",
    ]


def test_others_than_primary_claims_are_suggestive_at_best_and_not_in_the_family() -> None:
    rows = [(claim(primary=True), decision("supported", 0.04)), (claim(), decision("equivalent", 1e-9))]
    outcomes = correct([row[0] for row in rows], [row[1] for row in rows])
    assert [outcome.verdict for outcome in outcomes] == ["supported", "suggestive"]
    assert [outcome.confirmatory for outcome in outcomes] == [True, False]
    assert isinstance(outcomes[0].holm, PValue) and outcomes[0].holm.p == 0.04
    assert isinstance(outcomes[1].holm, Undefined)
    assert isinstance(outcomes[1].benjamini_hochberg, PValue), "over all claims"


def test_a_negligible_difference_takes_an_equal_share_of_the_level() -> None:
    """Its p value of a difference may be small, large or anything."""
    for within, verdict in ((0.024, "negligible"), (0.026, "suggestive")):
        rows = ((claim(matters=0.1), decision("negligible", 1e-9, within)), (claim(), decision("inconclusive", 0.9)))
        assert verdicts(*rows)[0] == verdict


def test_a_claim_with_two_conclusions_leaves_the_family_with_both() -> None:
    """Only a difference that is also smaller than what matters makes it easier for the others."""
    other = claim(), decision("supported", 0.03)
    for matters, one, verdict in (
        (0.1, decision("supported", 1e-9), "suggestive"),
        (None, decision("supported", 1e-9), "supported"),
        (0.1, decision("negligible", 0.9, 1e-9), "suggestive"),
        (0.1, decision("negligible", 1e-9, 1e-9), "supported"),
    ):
        assert verdicts((claim(matters=matters), one), other)[1] == verdict
    assert verdicts(
        (claim(matters=0.1), decision("negligible", 0.9, 0.03)), (claim(), decision("supported", 0.01))
    ) == [
        "negligible",
        "supported",
    ]


def test_the_level_is_that_of_the_claim() -> None:
    """As at a look, which has a share of it."""
    assert verdicts((claim(level=0.025), decision("supported", 0.03))) == ["suggestive"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"matters": -0.1}, "-0.1 must be above 0"),
        ({"matters": 0.0}, "0 must be above 0"),
        ({"matters": "one"}, "'one' is neither a number nor a share such as '1%'"),
        ({"matters": "0%"}, "'0%' is neither"),
        ({"matters": "-1%"}, "'-1%' is neither"),
        ({"matters": "5%", "metric": "validation.accuracy"}, "has two meanings; write 0.02 for two percentage points"),
        ({"matters": 5.0, "metric": "validation.accuracy"}, "5 must be between 0 and 1"),
        (
            {"matters": 0.1, "direction": "equivalent", "margin": 0.2},
            "the margin of an equivalence states what matters",
        ),
    ],
)
def test_what_matters_has_the_sign_and_the_unit_of_the_metric(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        claim(**change)


def test_what_matters_is_absolute_or_a_share() -> None:
    assert claim().matters_of(2.0) is None
    assert claim(matters=0.1).matters_of(2.0) == 0.1
    assert claim(matters="0.5%").matters_of(-2.0) == pytest.approx(0.01)
    assert "matters" not in claim().dump() and "primary" not in claim().dump(), "fingerprints of older claims stay"
