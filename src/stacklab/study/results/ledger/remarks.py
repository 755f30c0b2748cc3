"""What a reader of a study must know of its ledger and its run folders, one sentence each."""

from collections.abc import Iterator, Sequence
from itertools import combinations

from stacklab.study.planning.plan import Contrast, Plan
from stacklab.study.results.analyse import ClaimResult
from stacklab.study.results.collect import UNUSABLE, Row
from stacklab.study.results.ledger.changes import changes, listed, rewordings
from stacklab.study.results.ledger.entry import Entry, Record, of_comparison
from stacklab.study.results.ledger.marks import day, known, standing, when
from stacklab.study.results.ledger.record import entered_contrasts, record
from stacklab.study.results.ledger.remark import Remark, verdict_text
from stacklab.study.spec.claim import labelled


def remarks(
    plan: Plan, entries: Sequence[Entry], *, rows: Sequence[Row], claims: Sequence[ClaimResult]
) -> tuple[Remark, ...]:
    """The most serious first. plan: as it was saved. rows: of all its runs."""
    return (
        *(Remark(kind="damaged", about="", text=entry.damage) for entry in entries if entry.damage),
        *_altered(plan, rows),
        *(Remark(kind="late", about=one.id, text=f"claim {one.afterthought}") for one in claims if one.afterthought),
        *_withdrawn(plan, entries),
        *_earlier_verdicts(plan, entries, claims),
        *_opposed(plan),
        *_changed_words(plan, entries),
        *_not_recorded(entries, rows),
    )


def _altered(plan: Plan, rows: Sequence[Row]) -> Iterator[Remark]:
    for row in rows:
        if row.status in UNUSABLE:
            what = "is damaged" if row.status == "damaged" else "was copied or edited"
            mend = f"delete runs/{row.run_id}, and `stacklab run` trains it again"
            text = f"the folder of {row.arm} seed {row.seed} {what}: {row.reason}; {mend}"
            yield Remark(kind="altered", about=row.run_id, text=text)


def _withdrawn(plan: Plan, entries: Sequence[Entry]) -> Iterator[Remark]:
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


def _earlier_verdicts(plan: Plan, entries: Sequence[Entry], claims: Sequence[ClaimResult]) -> Iterator[Remark]:
    """The verdicts of earlier looks, of claims before they were changed, and those of other versions."""
    now = {claim.id: claim.word for claim in claims}
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


def _changed_words(plan: Plan, entries: Sequence[Entry]) -> Iterator[Remark]:
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
    return labelled(text, arm=entry.experiment.arm.label, against=entry.experiment.against.label)


def _opposed(plan: Plan) -> Iterator[Remark]:
    """Claims of which one must fail where the other holds, and equivalences of the same arms with several margins."""
    for one, other in combinations(plan.contrasts, 2):
        if one.claim.metric != other.claim.metric or _pair(one) != _pair(other):
            continue
        about = f"{one.id}, {other.id}"
        if one.claim.margin is not None and other.claim.margin is not None:
            margins = f"{one.claim.margin:g} and {other.claim.margin:g}"
            text = f"the same equivalence is claimed with several margins, {margins}"
            yield Remark(kind="opposed", about=about, text=text)
        elif one.claim.margin is None and other.claim.margin is None and _lower_arm(one) != _lower_arm(other):
            yield Remark(kind="opposed", about=about, text="both directions of one comparison are claimed")


def _pair(contrast: Contrast) -> set[str]:
    return {contrast.claim.arm, contrast.against}


def _lower_arm(contrast: Contrast) -> str:
    return contrast.claim.arm if contrast.claim.direction == "lower" else contrast.against


def _not_recorded(entries: Sequence[Entry], rows: Sequence[Row]) -> Iterator[Remark]:
    old = {entry.id for entry in entries if entry.kind == "claim" and entry.experiment is None}
    if old:
        text = (
            f"{len(old)} comparison{'' if len(old) == 1 else 's'} entered by an earlier version, which recorded "
            "neither arms, seeds nor data: changes of those before this version are not visible"
        )
        yield Remark(kind="not recorded", about="", text=text)
    ended = [row for row in rows if row.status in ("finished", "diverged")]
    if bare := sum(not row.verified for row in ended):
        text = f"{bare} of {len(ended)} runs are of an earlier version, whose results hold no hashes: not verifiable"
        yield Remark(kind="not recorded", about="", text=text)
