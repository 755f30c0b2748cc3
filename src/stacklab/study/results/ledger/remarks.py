"""What a reader of a study must know of its ledger and its run folders, one sentence each."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path

from stacklab.study.planning.plan import Contrast, Plan
from stacklab.study.results.analyse import ClaimResult
from stacklab.study.results.collect import Row
from stacklab.study.results.ledger.entry import FILE, Entry, read_ledger
from stacklab.study.results.ledger.history import changed_words, earlier_verdicts, withdrawn_claims
from stacklab.study.results.ledger.remark import Remark


def remarks(
    plan: Plan, entries: Sequence[Entry], *, rows: Sequence[Row], claims: Sequence[ClaimResult]
) -> tuple[Remark, ...]:
    """The most serious first. plan: as it was saved. rows: of all its runs."""
    return (
        *(Remark(kind="damaged", about="", text=entry.damage) for entry in entries if entry.damage),
        *_altered(plan, rows),
        *(Remark(kind="late", about=one.id, text=f"claim {one.afterthought}") for one in claims if one.afterthought),
        *withdrawn_claims(plan, entries),
        *earlier_verdicts(plan, entries, claims),
        *_opposed(plan),
        *changed_words(plan, entries),
        *_not_recorded(entries, rows),
    )


def other_settings(plan: Plan, out: Path) -> tuple[Remark, ...]:
    """The verdicts of the same study and scale in folders of other overrides: settings may have been searched."""
    own = plan.folder(out)
    shared = f"{plan.study.name}-{plan.scale}"
    noted = []
    for path in sorted(own.parent.glob(f"{shared}*/{FILE}")):
        folder = path.parent
        if folder == own or not re.fullmatch(f"{re.escape(shared)}(-[0-9a-f]{{8}})?", folder.name):
            continue
        verdicts = {entry.id: entry.decided.verdict for entry in read_ledger(folder) if entry.decided}
        if verdicts:
            counted = ", ".join(f"{number} {verdict}" for verdict, number in Counter(verdicts.values()).items())
            text = f"this study was also run with other settings, in {folder.name}: {counted}"
            noted.append(Remark(kind="other settings", about="", text=text))
    return tuple(noted)


def _altered(plan: Plan, rows: Sequence[Row]) -> Iterator[Remark]:
    for row in rows:
        if row.status == "altered":
            text = f"the folder of {row.arm} seed {row.seed} was copied or edited: {row.reason}"
            yield Remark(kind="altered", about=row.run_id, text=text)


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
