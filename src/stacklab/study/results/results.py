"""A study's outcome, read from its folders at any time."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stacklab.base.errors import DataError
from stacklab.data.spec import DataSpec
from stacklab.run.metrics import describe, is_share
from stacklab.run.paths import OutPaths
from stacklab.stats.result import Estimate
from stacklab.study.planning.plan import Plan, load_plan
from stacklab.study.planning.tuning import tuning_plan
from stacklab.study.results.analyse import ClaimResult, analyse
from stacklab.study.results.cell import Cell
from stacklab.study.results.cells import Threshold, read_cells, thresholds, to_retry
from stacklab.study.results.collect import Row, collect, table
from stacklab.study.results.ledger.elsewhere import other_folders, other_settings
from stacklab.study.results.ledger.entry import Entry, read_ledger
from stacklab.study.results.ledger.remark import Remark
from stacklab.study.results.ledger.remarks import remarks
from stacklab.study.results.short import too_short
from stacklab.study.results.tuning import ArmTuning, tunings_of, with_chosen
from stacklab.study.spec.grid import GridSpec

if TYPE_CHECKING:
    import pandas as pd

MOST = 4
"""Claims that a group names; the others are counted."""


def summarise(plan: Plan, claims: Sequence[ClaimResult], cells: Sequence[Cell]) -> str:
    """The paragraph. Claims outside the confirmatory family are counted only."""
    confirmatory = [claim for claim in claims if claim.confirmatory]
    grid = plan.study.grid
    parts = [
        f"Question: {plan.study.question}",
        *(_found(confirmatory) if claims else ()),
        *(_threshold_text(grid, cells) if grid is not None and cells else ()),
        *(() if claims or cells else ("This scale makes no claim.",)),
        *_rest(claims, confirmatory),
        _conditions(plan, confirmatory),
    ]
    return " ".join(parts)


Group = tuple[str, Callable[[ClaimResult], bool]]
GROUPS: tuple[Group, ...] = (
    ("Shown", lambda claim: claim.verdict == "supported"),
    ("Shown to be equal within the stated margin", lambda claim: claim.verdict == "equivalent"),
    ("The difference is smaller than what matters", lambda claim: claim.verdict == "negligible"),
    ("Refuted", lambda claim: claim.verdict == "refuted"),
    ("Suggestive, but not shown", lambda claim: claim.verdict == "suggestive"),
    ("Not shown", lambda claim: claim.verdict == "inconclusive"),
    ("Cannot be judged", lambda claim: claim.verdict == "invalid"),
)


def _found(claims: Sequence[ClaimResult]) -> Iterator[str]:
    """A sentence per group. Verdicts on runs that were too short stand in a group of their own."""
    settled = [claim for claim in claims if not claim.too_short]
    for title, belongs in GROUPS:
        if group := [claim for claim in settled if belongs(claim)]:
            yield f"{title}: {_listed(group)}."
    if early := [claim for claim in claims if claim.too_short]:
        yield f"Too early to say: {_listed(early)}."


def _listed(claims: Sequence[ClaimResult]) -> str:
    named = "; ".join(_claim_text(claim) for claim in claims[:MOST])
    rest = len(claims) - MOST
    return f"{named}; and {rest} more" if rest > 0 else named


def _claim_text(claim: ClaimResult) -> str:
    details = [claim.word] if claim.too_short or claim.verdict == "suggestive" else []
    if claim.verdict != "invalid" and isinstance(claim.difference, Estimate):
        details.append(amount_text(claim.metric, claim.difference))
    return f"{claim.statement} ({'; '.join(details)})" if details else claim.statement


def amount_text(metric: str, difference: Estimate) -> str:
    """A difference with its interval and unit.

    >>> amount_text("validation.accuracy", Estimate(value=0.5, low=0.41, high=0.6, level=0.95, n=5, method="t"))
    '+50 percentage points, 95 % interval +41 to +60'
    """
    factor, unit = (100.0, "percentage points") if is_share(metric) else (1.0, describe(metric).unit)
    value, low, high = (f"{factor * number:+.3g}" for number in (difference.value, difference.low, difference.high))
    return f"{f'{value} {unit}'.rstrip()}, {100 * difference.level:.4g} % interval {low} to {high}"


def _threshold_text(grid: GridSpec, cells: Sequence[Cell]) -> Iterator[str]:
    rows = thresholds(grid, cells)
    named = "; ".join(_smallest(grid, row) for row in rows[:MOST])
    more = f"; and {len(rows) - MOST} more" if len(rows) > MOST else ""
    yield f"Smallest {grid.depth} at which a majority of seeds solve: {named}{more}."


def _smallest(grid: GridSpec, row: Threshold) -> str:
    smallest = f"{'at most ' if row.at_most else ''}{row.depth}" if row.depth else "none of those tried"
    others = ", ".join(f"{axis} {row.at[axis]}" for axis in grid.axes if axis != grid.depth)
    return f"{smallest} for {others}" if others else smallest


def _rest(claims: Sequence[ClaimResult], confirmatory: Sequence[ClaimResult]) -> Iterator[str]:
    if exploratory := len(claims) - len(confirmatory):
        yield f"{exploratory} exploratory comparison{'s' if exploratory > 1 else ''} can only be suggestive."


def _data_text(plan: Plan) -> str:
    if not isinstance(plan.arms[0].config.data, DataSpec):
        return f"the task {plan.data['source']['name']}"
    kept = plan.data.get("records", {}).get("kept")
    return "text" if kept in (None, 1) else f"{kept:,} records of text"


def _conditions(plan: Plan, confirmatory: Sequence[ClaimResult]) -> str:
    base = plan.arms[0].config
    steps = sorted({arm.config.train.steps for arm in plan.arms})
    data = _data_text(plan)
    span = f"{steps[0]:,}" if len(steps) == 1 else f"{steps[0]:,} to {steps[-1]:,}"
    family = f"; one error level for {len(confirmatory)} comparisons together (Holm)" if len(confirmatory) > 1 else ""
    return (
        f"Conditions: {len(plan.seeds)} seed{'s' if len(plan.seeds) != 1 else ''}, {span} steps of "
        f"{base.train.batch_size} x {base.data.block_size} tokens on {data}, scale {plan.scale}{family}. What is shown "
        "holds for these settings and this held-out set."
    )


def _run_summary(plan: Plan, rows: Sequence[Row]) -> str:
    """How a run without anything to compare has ended, with its losses."""
    ends, split = [], plan.arms[0].config.evaluate.split
    for row in rows:
        reason = f" ({row.reason})" if row.reason else ""
        ends.append(f"Run {row.run_id}, seed {row.seed}: {row.status}{reason} at step {row.step:,}.")
        if row.status == "finished":
            loss, best, step = (row.metrics[f"{split}.{name}"] for name in ("loss", "best_loss", "best_step"))
            ends.append(
                f"{split.capitalize()} loss {loss:.4f} nats per token, the lowest {best:.4f} after step {step:,.0f}."
            )
    return " ".join([*ends, _conditions(plan, ())])


@dataclass(frozen=True)
class StudyResult:
    """The plan with its tuned arms, a row per run, a result per claim. `out` holds the folders of runs and studies."""

    plan: Plan
    out: Path
    rows: list[Row]
    claims: list[ClaimResult]
    tuning: list[ArmTuning]
    """Every arm over the grid of learning rates; empty for a study that does not tune."""
    cells: list[Cell]
    """The cells of the grid; empty for a study without one."""
    retried: list[Row]
    """The runs at other learning rates of stacks that failed at their first one."""
    ledger: list[Entry]
    remarks: tuple[Remark, ...]
    """What a reader must know of the ledger and of run folders that were altered."""

    @property
    def table(self) -> "pd.DataFrame":
        """One row per run."""
        return table(self.plan, self.rows)

    @property
    def folder(self) -> Path:
        return self.plan.folder(self.out)

    @property
    def summary(self) -> str:
        """The answer in one paragraph."""
        if self.plan.study.is_plain:
            return _run_summary(self.plan, self.rows)
        return summarise(self.plan, self.claims, self.cells)

    @property
    def verdicts(self) -> dict[str, str]:
        """Claim -> verdict, in the words of the report."""
        return {claim.id: claim.word for claim in self.claims}


def read_results(plan: Plan, out: Path) -> StudyResult:
    """The outcome of a saved plan, with tuned arms and retries, if there are any."""
    saved, grid = plan, tuning_plan(plan)
    tried = collect(grid, out)
    tunings = tunings_of(grid, tried)
    plan = with_chosen(plan, tunings)
    rows, ledger = collect(plan, out), read_ledger(plan.folder(out))
    claims = analyse(plan, rows, ledger, too_short(plan, rows, out))
    retried = collect(to_retry(plan, out), out)
    noted = remarks(saved, ledger, rows=(*rows, *retried, *tried), claims=claims)
    noted += (*other_settings(saved, out), *other_folders(saved, out))
    return StudyResult(plan, out, rows, claims, tunings, read_cells(plan, rows, out), retried, ledger, noted)


def study_folders(out: Path) -> list[Path]:
    """Whatever stands where studies stand, by name, but for hidden files and folders that hold nothing yet."""
    places = sorted(path for path in OutPaths(out).studies.glob("*") if not path.name.startswith("."))
    return [path for path in places if not path.is_dir() or any(not one.name.startswith(".") for one in path.iterdir())]


def open_results(folder: Path) -> StudyResult:
    """The results of a study folder `<out>/studies/<name>-<scale>`. Raises DataError when it holds no plan."""
    if not (folder / "plan.json").is_file():
        raise DataError(f"{folder}: has no plan.json, so it is not the folder of a study")
    return read_results(load_plan(folder), folder.resolve().parent.parent)
