"""Why a claim cannot count as made before the data."""

from collections.abc import Sequence

from stacklab.study.planning.plan import Contrast, Plan
from stacklab.study.results.ledger.changes import changes
from stacklab.study.results.ledger.entry import Entry, Record, of_comparison
from stacklab.study.results.ledger.record import record

UNKNOWN = "not in the ledger, so it may have been made after seeing the data"


def afterthought(plan: Plan, contrast: Contrast, entries: Sequence[Entry]) -> str:
    """Why the claim cannot count as made before the data; empty when it can.

    What counts is the claim that stood when the first evaluation was written: the last one entered before it.
    """
    own, now = of_comparison(entries, contrast.id), record(plan, contrast)
    if not own or changes(own[-1], now):
        return UNKNOWN
    if damaged := next((entry.damage for entry in entries if entry.damage), ""):
        return f"in a ledger that was altered: {damaged}"
    base = standing(own)
    if base is None:
        since = changes(own[0], now)
        return f"made {when(own[0])}" + (f"; changed since: {'; '.join(since)}" if since else "")
    if base.older_runs:
        return f"entered on {day(base)} as if before its runs, but {base.older_runs} of them had been evaluated earlier"
    if moved := changes(known(base, own), now):
        first = next(entry for entry in own[own.index(base) + 1 :] if not changes(entry, now))
        return f"changed {when(first)}: {'; '.join(moved)}"
    return ""


def standing(own: Sequence[Entry]) -> Entry | None:
    """The last claim that was entered before any evaluation; None if there is none."""
    return next((entry for entry in reversed(own) if entry.seen == 0), None)


def known(base: Entry, own: Sequence[Entry]) -> Record:
    """The entry with its experiment; one of an earlier version has that of the first later entry which states the
    same."""
    if base.experiment is not None:
        return base
    later = own[own.index(base) + 1 :]
    same = next((entry for entry in later if entry.experiment is not None and not changes(base, entry)), None)
    return base if same is None else base.model_copy(update={"experiment": same.experiment})


def when(entry: Entry) -> str:
    seen = "had finished" if entry.seen_runs is None else "had been evaluated"
    return f"on {day(entry)}, after {entry.seen} of its runs {seen}"


def day(entry: Entry) -> str:
    return entry.entered[:10]
