"""The entries of the ledger as a reader follows them."""

from collections.abc import Iterator, Sequence

from stacklab.base.spec import Items, Spec
from stacklab.study.results.ledger.changes import changes, listed, rewordings
from stacklab.study.results.ledger.entry import Entry
from stacklab.study.results.ledger.remark import verdict_text


class LedgerFact(Spec):
    """One entry. entered: time in UTC. seen: runs of its arms that had been evaluated by then; None for a verdict.
    version, commit: of the code, empty where they were not recorded."""

    entered: str
    comparison: str
    event: str
    seen: int | None
    version: str
    commit: str


def ledger_facts(entries: Sequence[Entry]) -> Items[LedgerFact]:
    """The entries in their order, each with what it changed."""
    return tuple(
        LedgerFact(
            entered=entry.entered,
            comparison=entry.id,
            event=_event(entry, entries[:index]),
            seen=None if entry.kind == "verdict" else entry.seen,
            version=entry.version,
            commit=entry.commit or "",
        )
        for index, entry in enumerate(entries)
    )


def _event(entry: Entry, before: Sequence[Entry]) -> str:
    if entry.kind == "withdrawn":
        return "claim withdrawn"
    if entry.decided is not None:
        return f"verdict: {verdict_text(entry.decided)}"
    last = next((one for one in reversed(before) if one.id == entry.id and one.kind == "claim"), None)
    if last is None:
        return f"claim entered: {', '.join(_stated(entry))}"
    moved = [*changes(last, entry), *rewordings(last, entry)]
    if moved:
        return f"claim changed: {'; '.join(moved)}"
    recorded = "with its experiment, which an earlier version did not record"
    return f"claim entered again, {recorded if last.experiment is None else _look(entry)}"


def _look(entry: Entry) -> str:
    return f"look {entry.experiment.look}, seeds {listed(entry.experiment.seeds)}" if entry.experiment else ""


def _stated(entry: Entry) -> Iterator[str]:
    """The parts that decide the verdict."""
    for key in ("metric", "direction", "margin", "level"):
        if entry.stated.get(key) is not None:
            yield f"{key} {entry.stated[key]}"
    if entry.experiment is not None:
        yield f"seeds {listed(entry.experiment.seeds)}"
