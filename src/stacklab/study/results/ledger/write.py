"""New entries: claims before their runs, claims that are withdrawn, and verdicts once results are read."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stacklab.base.canon import canonical_json, fingerprint
from stacklab.base.files import write_text
from stacklab.base.version import VERSION, git_commit
from stacklab.run.paths import OutPaths
from stacklab.run.verify import evaluated
from stacklab.stats.result import Estimate, Undefined
from stacklab.study.planning.plan import Plan
from stacklab.study.planning.tuning import MARK
from stacklab.study.results.analyse import ClaimResult
from stacklab.study.results.collect import UNUSABLE, Row
from stacklab.study.results.ledger.changes import changes, rewordings
from stacklab.study.results.ledger.entry import (
    FILE,
    Decided,
    Entry,
    Record,
    of_comparison,
    read_ledger,
    read_rows,
    sealed,
)
from stacklab.study.results.ledger.record import arms_of, entered_contrasts, record
from stacklab.study.results.tuning import with_tuned


def enter(plan: Plan, out: Path) -> None:
    """Enter every claim of a saved plan that is new or differs from its last entry, and those that are withdrawn."""
    entries, runs = read_ledger(plan.folder(out)), _runs_by_arm(with_tuned(plan, out))
    present = {contrast.id: contrast for contrast in entered_contrasts(plan)}
    new = []
    for contrast in present.values():
        stated, last = record(plan, contrast), last_of(entries, contrast.id)
        if last is None or last.kind == "withdrawn" or _differs(last, stated):
            own = [run_id for name in sorted(arms_of(contrast)) for run_id in runs[name]]
            new.append(_entry(contrast.id, stated, own, earlier_runs(entries, arms_of(contrast)), out))
    for id in dict.fromkeys(entry.id for entry in entries if entry.id not in present):
        last = last_of(entries, id)
        if last is not None and last.kind == "claim":
            new.append(_entry(id, Record(stated=last.stated), last.runs, (), out) | {"kind": "withdrawn"})
    _append(plan, out, new)


ENDED = ("finished", "diverged", *UNUSABLE)
"""States that the same command does not change."""


def enter_verdicts(plan: Plan, out: Path, claims: Sequence[ClaimResult], *, rows: Iterable[Row]) -> None:
    """Enter every verdict that differs from the last one of the same claim, once all its runs have ended. plan: as it
    was saved, with its claims entered. rows: of all its runs."""
    open_arms = {row.arm for row in rows if row.status not in ENDED}
    entries, results = read_ledger(plan.folder(out)), {claim.id: claim for claim in claims}
    new = []
    for contrast in entered_contrasts(plan):
        own = of_comparison(entries, contrast.id)
        if contrast.id not in results or not own or open_arms & {contrast.claim.arm, contrast.against}:
            continue
        verdict = decided(results[contrast.id], claim=own[-1])
        last = next((one.decided for one in reversed(entries) if one.id == contrast.id and one.decided), None)
        if verdict != last:
            row = _entry(contrast.id, Record(stated={}), (), (), out)
            new.append(row | {"kind": "verdict", "seen_runs": None, "decided": verdict.dump()})
    _append(plan, out, new)


def decided(result: ClaimResult, *, claim: Entry) -> Decided:
    """The verdict with the interval that decides. claim: the entry that it is the verdict on."""
    interval = result.interval if isinstance(result.interval, Estimate) else None
    return Decided(
        claim=claim.hash or "",
        verdict=result.word,
        reason=result.interval.reason if isinstance(result.interval, Undefined) else "",
        difference=result.difference.value if interval and isinstance(result.difference, Estimate) else None,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        level=interval.level if interval else None,
    )


def last_of(entries: Sequence[Entry], id: str) -> Entry | None:
    """The last entry of a comparison that states or withdraws its claim."""
    return next((entry for entry in reversed(entries) if entry.id == id and entry.kind != "verdict"), None)


def earlier_runs(entries: Iterable[Entry], arms: frozenset[str]) -> set[str]:
    """The runs of all earlier claims about the same two arms, under whatever settings they had."""
    return {run_id for entry in entries if entry.kind == "claim" and _names(entry) == arms for run_id in entry.runs}


def _names(entry: Entry) -> frozenset[str]:
    return frozenset(str(entry.stated[key]).removesuffix(MARK) for key in ("arm", "against"))


def _differs(last: Entry, stated: Record) -> bool:
    """Whether the claim, its words or its look differ. An entry without the experiment is followed by one with it."""
    if last.experiment is None or stated.experiment is None:
        return True
    moved_on = (last.experiment.seeds, last.experiment.look) != (stated.experiment.seeds, stated.experiment.look)
    return bool(moved_on or changes(last, stated) or rewordings(last, stated))


def _runs_by_arm(plan: Plan) -> dict[str, list[str]]:
    """Arm -> its run ids, those at its own best setting included."""
    runs: dict[str, list[str]] = {}
    for arm, _, spec in plan.runs():
        runs.setdefault(arm.origin or arm.name, []).append(spec.run_id)
    return {name: list(dict.fromkeys(ids)) for name, ids in runs.items()}


def _entry(id: str, of: Record, runs: Sequence[str], earlier: Iterable[str], out: Path) -> dict[str, Any]:
    """The entry without its hashes. runs: the present ones; earlier: those of earlier claims, which count as seen."""
    folders = [OutPaths(out).run(run_id) for run_id in {*runs, *earlier}]
    return Entry(
        **dict(of),
        id=id,
        claim=fingerprint(of.stated),
        entered=now(),
        finished_runs=sum(paths.result.exists() for paths in folders),
        seen_runs=sum(map(evaluated, folders)),
        runs=tuple(runs),
    ).dump()


def now() -> str:
    """The present time in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _append(plan: Plan, out: Path, new: Sequence[dict[str, Any]]) -> None:
    """Seal the entries and write them after those that are there, which stay as they are."""
    if not new:
        return
    rows, code = read_rows(plan.folder(out)), {"version": VERSION, "commit": git_commit()}
    for row in new:
        rows.append(sealed(row | code, rows))
    write_text(plan.folder(out) / FILE, "".join(canonical_json(row) + "\n" for row in rows))
