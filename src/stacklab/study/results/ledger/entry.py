"""The entries of the ledger, one JSON line each in `ledger.jsonl` of the study's folder, chained by hash.

Entries are never removed or changed: an entry holds its own hash and that of the entry before it. Entries of earlier
versions have neither hashes nor the experiment, and are read all the same.
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from stacklab.base.canon import fingerprint
from stacklab.base.errors import DataError
from stacklab.base.files import read_jsonl
from stacklab.base.spec import Items, Spec
from stacklab.run.paths import OutPaths
from stacklab.run.verify import last_evaluated
from stacklab.study.planning.contrast import Difference

FILE = "ledger.jsonl"
CLOCK_SECONDS = 2.0
"""How far the clock of the disk may be behind that of the machine."""


class Side(Spec):
    """One arm of a comparison. identity: hash of its complete configuration and its data, without the seed. data: the
    fingerprint of its prepared data."""

    name: str
    label: str
    identity: str
    data: str


class Experiment(Spec):
    """What a claim is about. settings: every effective setting of `against` by dotted path; differences: from it to the
    arm. tokenizer: its hash, where the arm reads the data of the base. tuning: the grid, for a claim about tuned
    arms."""

    arm: Side
    against: Side
    settings: dict[str, Any]
    differences: Items[Difference]
    seeds: Items[int]
    look: int
    looks: int
    tokenizer: str | None
    tuning: dict[str, Any] | None


class Record(Spec):
    """A claim and its experiment. stated: the claim without its words and its power, which decide no verdict. wording:
    the sentence with {arm} and {against}. Entries of earlier versions have their wording in `stated`, no experiment."""

    stated: dict[str, Any]
    wording: str | None = None
    experiment: Experiment | None = None


class Decided(Spec):
    """A verdict in the words of its version. claim: hash of the entry that it is about. difference, low, high: of arm
    minus against, with the interval of confidence `level`; None for a comparison that allows none."""

    claim: str
    verdict: str
    reason: str
    difference: float | None
    low: float | None
    high: float | None
    level: float | None


class Entry(Record):
    """One line. id: of the comparison. claim: fingerprint of `stated`. entered: time in UTC. finished_runs, seen_runs:
    of the runs of both arms, present and earlier ones, those that had ended, and those of which an evaluation had been
    written; an entry of an earlier version has only the first. runs: the ids of the present ones.

    damage and older_runs are not stored: `read_ledger` finds out what is wrong with the line, and how many of the runs
    were evaluated before the entry says that none was.
    """

    id: str
    kind: Literal["claim", "withdrawn", "verdict"] = "claim"
    claim: str
    entered: str
    finished_runs: int
    seen_runs: int | None = None
    runs: Items[str] = ()
    decided: Decided | None = None
    version: str = ""
    commit: str | None = None
    previous: str | None = None
    hash: str | None = None
    damage: str = Field("", exclude=True)
    older_runs: int = Field(0, exclude=True)

    @property
    def seen(self) -> int:
        return self.finished_runs if self.seen_runs is None else self.seen_runs


def read_rows(folder: Path) -> list[dict[str, Any]]:
    """The lines of the ledger as they are stored; empty without one."""
    path = folder / FILE
    return read_jsonl(path) if path.exists() else []


def read_ledger(folder: Path) -> list[Entry]:
    """All entries, oldest first, checked against their hashes. Raises DataError for a file that is not a ledger."""
    rows, out = read_rows(folder), OutPaths(folder.resolve().parent.parent)
    try:
        entries = [Entry.model_validate(row) for row in rows]
        return [
            entry.model_copy(update={"damage": _damage(rows, index), "older_runs": _older_runs(entry, out)})
            for index, entry in enumerate(entries)
        ]
    except ValueError as error:
        raise DataError(
            f"{folder / FILE}: not a ledger of claims; move it away, and all claims count as made afterwards"
        ) from error


def of_comparison(entries: Sequence[Entry], id: str) -> list[Entry]:
    """The claims entered for one comparison, oldest first."""
    return [entry for entry in entries if entry.id == id and entry.kind == "claim"]


def head(rows: Sequence[dict[str, Any]]) -> str:
    """The hash that the next entry holds: that of the last entry, or of all entries where it has none."""
    if not rows:
        return ""
    return str(rows[-1]["hash"]) if rows[-1].get("hash") else fingerprint(list(rows))


def sealed(row: dict[str, Any], rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The entry with the hash of the one before it and its own."""
    chained = row | {"previous": head(rows)}
    return chained | {"hash": _own_hash(chained)}


def _own_hash(row: dict[str, Any]) -> str:
    return fingerprint({name: value for name, value in row.items() if name != "hash"})


def _damage(rows: Sequence[dict[str, Any]], index: int) -> str:
    row = rows[index]
    if row.get("hash") is None:
        # An entry without a hash is older than every one that has one.
        later = any(one.get("hash") for one in rows[:index])
        return f"line {index + 1} of {FILE} has no hash, so it was not written by stacklab" if later else ""
    if row["hash"] != _own_hash(row):
        return f"line {index + 1} of {FILE} was edited"
    if row.get("previous") != head(rows[:index]):
        return f"a line before line {index + 1} of {FILE} was removed or edited"
    return ""


def _older_runs(entry: Entry, out: OutPaths) -> int:
    """How many runs were evaluated before the entry was written, though it says that none was."""
    if entry.seen_runs != 0 or entry.kind != "claim":
        return 0
    written = [last_evaluated(out.run(run_id)) for run_id in entry.runs]
    entered = datetime.fromisoformat(entry.entered).timestamp() - CLOCK_SECONDS
    return sum(time is not None and time < entered for time in written)
