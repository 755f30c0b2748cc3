import pytest

from stacklab.audit.examine import REASONS, conclude
from stacklab.audit.reading.stated import find_stated
from stacklab.audit.spec import Finding, Kind, Severity, Stated


def finding(kind: Kind, severity: Severity) -> Finding:
    return Finding(kind=kind, group="log", severity=severity, subject="a", sentence="b")


@pytest.mark.parametrize("kind", REASONS)
def test_every_caution_is_a_reason_and_the_same_kind_as_a_note_is_none(kind: Kind) -> None:
    stated = Stated(claim="Conclusion: deeper is better")
    assert conclude(stated, [finding(kind, "caution")]) == (
        f'The text states: "Conclusion: deeper is better". The numbers do not carry that claim: {REASONS[kind]}.'
    )
    assert "Nothing in the numbers contradicts it" in conclude(stated, [finding(kind, "note")])


def test_without_a_claim_and_with_contradictions() -> None:
    assert conclude(Stated(), [finding("file-size", "contradiction")]) == (
        "The files state no claim. The numbers do not carry a claim that one arm is better: "
        "1 stated number contradicts the others."
    )


@pytest.mark.parametrize(
    ("line", "claim"),
    [
        ("a study HYPOTHESIS: PROVED", "HYPOTHESIS: PROVED"),
        ("Conclusion: 12 layers beat 1 layer. More below.", "Conclusion: 12 layers beat 1 layer"),
        ("the hypothesis is stated above", None),
    ],
)
def test_the_claim_is_the_first_stated_one(line: str, claim: str | None) -> None:
    assert find_stated([line]).claim == claim
