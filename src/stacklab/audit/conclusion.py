"""The first line of an audit: the claim that the text makes, and whether the numbers carry it."""

from collections.abc import Sequence

from stacklab.audit.spec import Finding, Kind, Stated

REASONS: dict[Kind, str] = {
    "seeds": "there is one run per arm, so nothing is known about other seeds",
    "last-gap": "the difference at the last logged point is not that of the points before it",
    "train-against-validation": "training and validation loss disagree on which arm is better",
    "best-validation": "the best validation losses are tied",
    "overfitting": "validation was best before the end",
    "data-order": "the logs do not move together, as runs on the same batches do",
    "log-not-finite": "a log holds values that are not finite",
    "log-truncated": "a log ends in the middle of a line",
    "log-damaged": "a log has damaged lines",
    "log-repeated": "a log repeats steps",
    "log-steps-missing": "a log lacks steps",
}
"""What a finding of caution means for a claim that one arm is better."""


def conclude(stated: Stated, findings: Sequence[Finding]) -> str:
    """The claim, and the reasons why the numbers do not carry it, weightiest first; or that none was found."""
    claim = f'The text states: "{stated.claim}". ' if stated.claim else "The files state no claim. "
    cautions = {finding.kind for finding in findings if finding.severity == "caution"}
    reasons = [reason for kind, reason in REASONS.items() if kind in cautions]
    wrong = sum(finding.severity == "contradiction" for finding in findings)
    if wrong:
        reasons.append(f"{wrong} stated number{'s contradict' if wrong > 1 else ' contradicts'} the others")
    if reasons:
        what = "that claim" if stated.claim else "a claim that one arm is better"
        return f"{claim}The numbers do not carry {what}: {'; '.join(reasons)}."
    return f"{claim}Nothing in the numbers contradicts it; that alone does not prove it."
