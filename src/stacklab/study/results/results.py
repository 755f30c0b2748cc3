"""A study's outcome, read from its folders at any time."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stacklab.base.errors import DataError
from stacklab.study.planning.plan import Plan, load_plan
from stacklab.study.planning.tuning import tuning_plan
from stacklab.study.results.analyse import ClaimResult, analyse
from stacklab.study.results.cell import Cell
from stacklab.study.results.cells import read_cells, to_retry
from stacklab.study.results.collect import Row, collect, table
from stacklab.study.results.ledger.entry import Entry, read_ledger
from stacklab.study.results.ledger.remark import Remark
from stacklab.study.results.ledger.remarks import other_settings, remarks
from stacklab.study.results.short import too_short
from stacklab.study.results.summary import summarise
from stacklab.study.results.tuning import ArmTuning, read_tuning, with_tuned

if TYPE_CHECKING:
    import pandas as pd


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
        return summarise(self.plan, self.claims, self.cells)

    @property
    def verdicts(self) -> dict[str, str]:
        """Claim -> verdict, in the words of the report."""
        return {claim.id: claim.word for claim in self.claims}


def read_results(plan: Plan, out: Path) -> StudyResult:
    """The outcome of a saved plan, with tuned arms and retries, if there are any."""
    saved, tunings, plan = plan, read_tuning(plan, out), with_tuned(plan, out)
    rows, ledger = collect(plan, out), read_ledger(plan.folder(out))
    claims = analyse(plan, rows, ledger, too_short(plan, rows, out))
    retried = collect(to_retry(plan, out), out)
    tried = collect(tuning_plan(saved), out)
    noted = remarks(saved, ledger, rows=(*rows, *retried, *tried), claims=claims)
    noted += other_settings(saved, out)
    return StudyResult(plan, out, rows, claims, tunings, read_cells(plan, rows, out), retried, ledger, noted)


def open_results(folder: Path) -> StudyResult:
    """The results of a study folder `<out>/studies/<name>-<scale>`. Raises DataError when it holds no plan."""
    if not (folder / "plan.json").is_file():
        raise DataError(f"{folder}: has no plan.json, so it is not the folder of a study")
    return read_results(load_plan(folder), folder.resolve().parent.parent)
