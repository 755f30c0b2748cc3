"""What became of the claims of a ledger: withdrawn ones, earlier verdicts, earlier forms and words."""

from collections.abc import Iterator, Sequence

from stacklab.study.planning.plan import Plan
from stacklab.study.results.analyse import ClaimResult
from stacklab.study.results.ledger.changes import changes, listed, rewordings
from stacklab.study.results.ledger.entry import Entry, Record, of_comparison
from stacklab.study.results.ledger.marks import day, known, standing, when
from stacklab.study.results.ledger.record import entered_contrasts, record
from stacklab.study.results.ledger.remark import Remark, verdict_text


def withdrawn_claims(plan: Plan, entries: Sequence[Entry]) -> Iterator[Remark]:
    """Claims whose results were seen, or whose runs had a verdict, and that the plan no longer has."""
    present = {contrast.id for contrast in entered_contrasts(plan)}
    for id in dict.fromkeys(entry.id for entry in entries if entry.id not in present):
        own = [entry for entry in entries if entry.id == id]
        withdrawn = next((entry for entry in reversed(own) if entry.kind == "withdrawn"), None)
        verdicts = [entry.decided for entry in own if entry.decided]
        if not verdicts and (withdrawn is None or not withdrawn.seen):
            continue
        date = f" {when(withdrawn)}" if withdrawn else ""
        claim = of_comparison(entries, id)[-1]
        last = f"; its last verdict: {verdict_text(verdicts[-1])}" if verdicts else "; it had no verdict yet"
        yield Remark(kind="withdrawn", about=id, text=f"withdrawn{date}{last}. It said: {_statement(claim)}")


def earlier_verdicts(plan: Plan, entries: Sequence[Entry], claims: Sequence[ClaimResult]) -> Iterator[Remark]:
    """The verdicts of earlier looks, of claims before they were changed, and those of other versions."""
    now = {claim.id: claim.verdict for claim in claims}
    for contrast in entered_contrasts(plan):
        present = record(plan, contrast)
        by_hash = {entry.hash: entry for entry in of_comparison(entries, contrast.id)}
        for entry in entries:
            if entry.id != contrast.id or entry.decided is None:
                continue
            claim = by_hash.get(entry.decided.claim)
            experiment = claim.experiment if claim else None
            same = claim is not None and not changes(claim, present) and experiment is not None
            if same and experiment and experiment.seeds == plan.seeds and entry.decided.verdict == now.get(contrast.id):
                continue
            look = f"look {experiment.look} of {experiment.looks}" if experiment and experiment.looks > 1 else ""
            how = f"{look or 'the verdict'} on {day(entry)}"
            seeds = f" (seeds {listed(experiment.seeds)})" if experiment else ""
            before = "" if same else ", before the claim was changed"
            text = f"{how}{seeds}{before}: {verdict_text(entry.decided)}"
            yield Remark(kind="earlier verdict", about=contrast.id, text=text)


def changed_words(plan: Plan, entries: Sequence[Entry]) -> Iterator[Remark]:
    """Words changed after results, forms that a claim had before or between, and withdrawals that were taken back."""
    for contrast in entered_contrasts(plan):
        own, now = of_comparison(entries, contrast.id), record(plan, contrast)
        if not own:
            continue
        base = standing(own) or own[0]
        before, after = own[: own.index(base)], own[own.index(base) + 1 :]
        for entry in before:
            if moved := changes(Record(stated=entry.stated), Record(stated=base.stated)):
                text = (
                    f"first entered on {day(entry)} in another form and changed before any result: {'; '.join(moved)}"
                )
                yield Remark(kind="opposed", about=contrast.id, text=text)
        if not changes(known(base, own), now):
            for entry in after:
                if moved := changes(known(base, own), entry):
                    text = f"changed {when(entry)} and changed back later: {'; '.join(moved)}"
                    yield Remark(kind="late", about=contrast.id, text=text)
        if base.experiment is not None and (words := rewordings(base, now)):
            first = next((entry for entry in after if not rewordings(entry, now)), own[-1])
            yield Remark(kind="reworded", about=contrast.id, text=f"{when(first)}: {'; '.join(words)}")


def _statement(entry: Entry) -> str:
    """The sentence with the labels of its arms; an earlier version recorded no labels."""
    text = str(entry.stated.get("statement", "") if entry.wording is None else entry.wording)
    if entry.experiment is None:
        return text
    labels = {"{arm}": entry.experiment.arm.label, "{against}": entry.experiment.against.label}
    for mark, label in labels.items():
        text = text.replace(mark, label)
    return text
