"""Run folders -> one row per run. A missing, failed, diverged or damaged run is a row with that status."""

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import Field, ValidationError

from stacklab.base.errors import DataError, UserError
from stacklab.base.files import exists, read_record
from stacklab.base.spec import Spec, first_fault
from stacklab.run.metrics import describe
from stacklab.run.paths import OutPaths, RunPaths
from stacklab.run.store import check_folder
from stacklab.run.verify import HASHES, alteration, logged
from stacklab.study.planning.plan import Plan

if TYPE_CHECKING:
    import pandas as pd


T = TypeVar("T", str, int)


class Row(Spec):
    """One run. metrics: empty unless it finished. batches: hash of its sequence of batches; marks: hashes of the first
    part of that sequence, by step, for a run that may stop early. altered: its folder was copied or edited; damaged: a
    file in it cannot be read. verified: its files fit the hashes of its result, which earlier versions did not
    write."""

    arm: str
    seed: int
    run_id: str
    status: Literal["finished", "diverged", "failed", "unfinished", "missing", "altered", "damaged"]
    reason: str = ""
    step: int = 0
    batches: str = ""
    marks: dict[str, str] = Field(default_factory=dict)
    metrics: dict[str, float] = Field(default_factory=dict)
    timing: dict[str, float | None] = Field(default_factory=dict)
    verified: bool = False


UNUSABLE = ("altered", "damaged")
"""States of folders that are not as their runs left them: to be deleted, and trained anew."""


def same_batches(one: Row, other: Row) -> bool:
    """Whether two runs saw the same batches while both trained."""
    shared = max((int(step) for step in one.marks if step in other.marks), default=None)
    if shared is None:
        return one.batches == other.batches
    return one.marks[str(shared)] == other.marks[str(shared)]


def collect(plan: Plan, out: Path) -> list[Row]:
    """A row for every planned run, in the plan's order of arms."""
    specs = {(arm.name, seed): spec for arm, seed, spec in plan.runs()}
    return [
        run_row(arm.name, seed, OutPaths(out).run(specs[arm.name, seed].run_id))
        for arm in plan.arms
        for seed in plan.seeds
    ]


def table(plan: Plan, rows: list[Row]) -> "pd.DataFrame":
    """The rows as a data frame: arm, seed, status, counts, metrics, seconds."""
    import pandas as pd

    records: list[dict[str, Any]] = []
    for row in rows:
        arm = plan.arm(row.arm)
        counts = {
            "total_parameters": arm.total_parameters,
            "non_embedding_parameters": arm.non_embedding_parameters,
            "train_flops": arm.train_flops,
        }
        head = {"arm": row.arm, "label": arm.label, "seed": row.seed, "status": row.status, "reason": row.reason}
        records.append(head | {"run_id": row.run_id} | counts | row.metrics | row.timing)
    return pd.DataFrame.from_records(records)


def curves(plan: Plan, out: Path, file: Literal["metrics", "evals"]) -> dict[tuple[str, int], list[dict[str, Any]]]:
    """(arm, seed) -> the rows of metrics.jsonl or evals.jsonl, for runs that have them. A finished run whose log cannot
    be read is no row of `collect` that has finished."""
    rows = {}
    for arm, seed, spec in plan.runs():
        path = getattr(OutPaths(out).run(spec.run_id), file)
        with contextlib.suppress(DataError):
            if exists(path):
                rows[arm.name, seed] = logged(path)
    return rows


def run_row(arm: str, seed: int, paths: RunPaths) -> Row:
    """The row of one run folder, whatever stands in it, checked against the hashes of its result."""
    who: dict[str, Any] = {"arm": arm, "seed": seed, "run_id": paths.run_id}
    try:
        check_folder(paths)
        if present(paths.result):
            return _ended(paths, who)
    except ValidationError as error:
        return Row(**who, status="damaged", reason=f"result.json: not written by a run ({first_fault(error)})")
    except (UserError, OSError) as error:
        return Row(**who, status="damaged", reason=str(error).replace(f"{paths.folder}/", ""))
    if present(paths.error):
        reason = _value(paths.error, "error", str)
        return Row(**who, status="failed", reason=reason or "error.json is damaged, so that the reason is not known")
    if present(paths.progress):
        step = _value(paths.progress, "step", int)
        if step is None:
            return Row(
                **who, status="unfinished", reason="progress.json is damaged; `stacklab run` goes on all the same"
            )
        return Row(**who, status="unfinished", reason=f"stopped at step {step}", step=step)
    return Row(**who, status="missing", reason="not run yet")


def _value(path: Path, name: str, kind: type[T]) -> T | None:
    """A value of one of the two files that the next attempt writes anew; None where it is damaged, which costs
    nothing."""
    try:
        value = read_record(path).get(name)
    except DataError:
        return None
    return value if isinstance(value, kind) and not isinstance(value, bool) else None


def present(path: Path) -> bool:
    """Whether something stands there, be it a link that leads nowhere. Raises OSError where that cannot be known, as
    where the folder is none."""
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    return True


def _ended(paths: RunPaths, who: dict[str, Any]) -> Row:
    """Raises DataError, ValidationError or OSError for a folder that no run leaves."""
    result = read_record(paths.result)
    if reason := alteration(paths, result):
        return Row(**who, status="altered", reason=reason)
    verified = result.pop(HASHES, None) is not None
    if not verified:
        for name in result.get("metrics") or ():
            describe(name)
        if exists(paths.evals):
            logged(paths.evals)
    if result.get("status") == "finished" and not result.get("metrics"):
        raise DataError(f"{paths.result}: has no metrics; the file was edited or is damaged")
    timing = read_record(paths.timing) if present(paths.timing) else {}
    return Row.model_validate(result | who | {"timing": timing, "verified": verified})
