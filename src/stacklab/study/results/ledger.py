"""The ledger of claims: they are entered before their runs are trained, and later changes stay visible.

One JSON line per entry in `ledger.jsonl` of the study's folder. Entries are never removed.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stacklab.base.canon import canonical_json, fingerprint
from stacklab.base.errors import DataError
from stacklab.base.files import read_jsonl, write_text
from stacklab.base.spec import Spec
from stacklab.run.paths import OutPaths
from stacklab.study.planning.plan import Contrast, Plan
from stacklab.study.planning.tuning import MARK, tuned_contrasts

FILE = "ledger.jsonl"


class Entry(Spec):
    """A claim and its fingerprint. entered: time in UTC; finished_runs: finished runs of its arms at that time."""

    id: str
    claim: str
    stated: dict[str, Any]
    entered: str
    finished_runs: int


def enter(plan: Plan, out: Path) -> None:
    """Enter every claim of a saved plan that is new or differs from its last entry."""
    entries = read_ledger(plan.folder(out))
    last = {entry.id: entry.claim for entry in entries}
    now = datetime.now(UTC).isoformat(timespec="seconds")
    for contrast in (*plan.contrasts, *tuned_contrasts(plan)):
        stated = statement(contrast)
        if last.get(contrast.id) != fingerprint(stated):
            finished = _finished(plan, contrast, out)
            entries.append(
                Entry(id=contrast.id, claim=fingerprint(stated), stated=stated, entered=now, finished_runs=finished)
            )
    write_text(plan.folder(out) / FILE, "".join(canonical_json(entry.dump()) + "\n" for entry in entries))


def read_ledger(folder: Path) -> list[Entry]:
    """All entries, oldest first. Raises DataError for a file that is not a ledger."""
    path = folder / FILE
    if not path.exists():
        return []
    try:
        return [Entry.model_validate(row) for row in read_jsonl(path)]
    except ValueError as error:
        raise DataError(
            f"{path}: not a ledger of claims; move it away, and all claims count as made afterwards"
        ) from error


def afterthought(contrast: Contrast, entries: list[Entry]) -> str:
    """Why the claim cannot count as made before the data; empty when it can."""
    own = [entry for entry in entries if entry.id == contrast.id]
    same = [entry for entry in own if entry.claim == fingerprint(statement(contrast))]
    if any(entry.finished_runs == 0 for entry in same):
        return ""
    if not same:
        return "not in the ledger, so it may have been made after seeing the data"
    seen = f"on {same[0].entered[:10]}, after {same[0].finished_runs} of its runs had finished"
    earlier = own[: own.index(same[0])]
    if not earlier:
        return f"made {seen}"
    moved = sorted(key for key in same[0].stated if same[0].stated[key] != earlier[-1].stated.get(key))
    changes = ", ".join(f"{key} from {earlier[-1].stated.get(key)} to {same[0].stated[key]}" for key in moved)
    return f"changed {seen}: {changes}"


def statement(contrast: Contrast) -> dict[str, Any]:
    """The fingerprinted claim about this pair of arms, without the power, which does not affect the verdict."""
    stated = contrast.claim.dump() | {"against": contrast.against}
    del stated["power"]
    return stated


def _finished(plan: Plan, contrast: Contrast, out: Path) -> int:
    # A tuned arm has no run of its own when the claim is entered, but its runs at the shared rate may have finished.
    arms = [name.removesuffix(MARK) for name in (contrast.claim.arm, contrast.against)]
    specs = [spec for arm, _, spec in plan.runs() if arm.name.removesuffix(MARK) in arms]
    return sum(OutPaths(out).run(spec.run_id).result.exists() for spec in specs)
