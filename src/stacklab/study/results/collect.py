"""Run folders -> one row per run. A missing, failed or diverged run is a row with that status."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, ValidationError

from stacklab.base.errors import DataError
from stacklab.base.files import read_record
from stacklab.base.spec import Spec, first_fault
from stacklab.run.paths import OutPaths, RunPaths
from stacklab.run.verify import HASHES, alteration, logged
from stacklab.study.planning.plan import Plan

if TYPE_CHECKING:
    import pandas as pd


class Row(Spec):
    """One run. metrics: empty unless it finished. batches: hash of its sequence of batches; marks: hashes of the first
    part of that sequence, by step, for a run that may stop early. altered: its folder was copied or edited. verified:
    its files fit the hashes of its result, which earlier versions did not write."""

    arm: str
    seed: int
    run_id: str
    status: Literal["finished", "diverged", "failed", "unfinished", "missing", "altered"]
    reason: str = ""
    step: int = 0
    batches: str = ""
    marks: dict[str, str] = Field(default_factory=dict)
    metrics: dict[str, float] = Field(default_factory=dict)
    timing: dict[str, float | None] = Field(default_factory=dict)
    verified: bool = False


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
    """(arm, seed) -> the rows of metrics.jsonl or evals.jsonl, for runs that have them."""
    rows = {}
    for arm, seed, spec in plan.runs():
        path = getattr(OutPaths(out).run(spec.run_id), file)
        if path.exists():
            rows[arm.name, seed] = logged(path)
    return rows


def run_row(arm: str, seed: int, paths: RunPaths) -> Row:
    """The row of one run folder, in whatever state it is, checked against the hashes of its result."""
    who: dict[str, Any] = {"arm": arm, "seed": seed, "run_id": paths.run_id}
    if paths.result.exists():
        result = read_record(paths.result)
        if reason := alteration(paths, result):
            return Row(**who, status="altered", reason=reason)
        verified = result.pop(HASHES, None) is not None
        timing = read_record(paths.timing) if paths.timing.exists() else {}
        return _row(paths.result, result | who | {"timing": timing, "verified": verified})
    if paths.error.exists():
        return Row(**who, status="failed", reason=str(read_record(paths.error).get("error", "unknown")))
    if paths.progress.exists():
        step = read_record(paths.progress).get("step")
        return _row(paths.progress, who | {"status": "unfinished", "reason": f"stopped at step {step}", "step": step})
    return Row(**who, status="missing", reason="not run yet")


def _row(path: Path, values: dict[str, Any]) -> Row:
    """Raises DataError for values that no run writes."""
    try:
        return Row.model_validate(values)
    except ValidationError as error:
        raise DataError(
            f"{path}: not written by a run ({first_fault(error)}); delete its folder, and the run is made again"
        ) from error
