"""What each cell of a grid came to, and the smallest depth that solves."""

import statistics
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

from stacklab.base.spec import Items, Spec
from stacklab.study.collect import Row, curves
from stacklab.study.grid import combinations
from stacklab.study.plan import ArmPlan, Plan
from stacklab.study.spec import GridSpec

RISING = 0.02
"""A rise of the mean by more than this over the last quarter of training means that it was cut too early."""
NEAR = 0.02
"""Above the baseline by no more than this is at the baseline."""

CellVerdict = Literal["solved", "partial", "at baseline", "not trained long enough", "invalid"]


class SeedOutcome(Spec):
    """`steps`: the first step of the last evaluations in a row that solved, None where it did not come to that."""

    seed: int
    final: float
    steps: int | None


class Cell(Spec):
    arm: str
    at: dict[str, str]
    """Axis -> value."""
    baseline: float | None
    outcomes: Items[SeedOutcome]
    verdict: CellVerdict
    reason: str

    @property
    def mean(self) -> float | None:
        return statistics.fmean(one.final for one in self.outcomes) if self.outcomes else None


class Threshold(Spec):
    """The smallest value of the depth axis at which a majority of seeds solve, with all other axes held at `at`.

    depth: None where no value does. solved: (value, seeds that solve, seeds) of every depth.
    """

    at: dict[str, str]
    depth: str | None
    solved: Items[tuple[str, int, int]]


def read_cells(plan: Plan, rows: Sequence[Row], out: Path) -> list[Cell]:
    """A cell for every arm of the plan that the grid made; empty for a study without a grid."""
    grid = plan.study.grid
    if grid is None:
        return []
    made = combinations(grid.axes)
    evals = curves(plan, out, "evals")
    found = []
    for arm in plan.arms:
        if arm.name in made:
            own = [row for row in rows if row.arm == arm.name]
            histories = [evals[arm.name, row.seed] for row in own if row.status == "finished"]
            at = {value.axis: value.value for value in made[arm.name]}
            found.append(_cell(arm, at, grid, own, histories))
    return found


def thresholds(grid: GridSpec, cells: Sequence[Cell]) -> list[Threshold]:
    """One for each combination of the other axes."""

    def others(cell: Cell) -> tuple[tuple[str, str], ...]:
        return tuple(item for item in cell.at.items() if item[0] != grid.depth)

    order = {at: index for index, at in enumerate(dict.fromkeys(map(others, cells)))}
    found = []
    for at, group in groupby(sorted(cells, key=lambda cell: order[others(cell)]), key=others):
        column = list(group)
        solved = tuple((cell.at[grid.depth], _solved(cell, grid), len(cell.outcomes)) for cell in column)
        first = next((cell.at[grid.depth] for cell in column if cell.verdict == "solved"), None)
        found.append(Threshold(at=dict(at), depth=first, solved=solved))
    return found


def _cell(
    arm: ArmPlan,
    at: dict[str, str],
    grid: GridSpec,
    rows: Sequence[Row],
    histories: Sequence[Sequence[Mapping[str, Any]]],
) -> Cell:
    finished = [row for row in rows if row.status == "finished"]
    outcomes = tuple(SeedOutcome(seed=row.seed, final=row.metrics[grid.metric], steps=_steps(row)) for row in finished)
    cell = Cell(arm=arm.name, at=at, baseline=arm.baseline, outcomes=outcomes, verdict="invalid", reason="")
    verdict, reason = judge(cell, grid, rows, _rise(grid, histories))
    return cell.model_copy(update={"verdict": verdict, "reason": reason})


def judge(cell: Cell, grid: GridSpec, rows: Sequence[Row], rise: float) -> tuple[CellVerdict, str]:
    """The verdict on a cell, whatever verdict it carries, and the sentence that says why.

    rise: by how much the mean grew over the last quarter of training.
    """
    lost = [row for row in rows if row.status != "finished"]
    if 2 * len(lost) >= len(rows):
        return "invalid", f"seed {lost[0].seed}: {lost[0].status}"
    count, mean = _solved(cell, grid), cell.mean
    assert mean is not None
    told = f"{count} of {len(rows)} seeds reach {grid.solved:g}"
    if 2 * count > len(rows):
        return "solved", told
    if rise > RISING:
        return "not trained long enough", f"{told}; the mean rose by {rise:.2g} over the last quarter of training"
    if cell.baseline is not None and mean <= cell.baseline + NEAR:
        return "at baseline", f"{told}; the mean {mean:.3f} is that of guessing ({cell.baseline:.3f})"
    return "partial", f"{told}; the mean is {mean:.3f}"


def _solved(cell: Cell, grid: GridSpec) -> int:
    return sum(one.final >= grid.solved for one in cell.outcomes)


def _steps(row: Row) -> int | None:
    found = row.metrics.get("steps_to_solve")
    return None if found is None else int(found)


def _rise(grid: GridSpec, histories: Sequence[Sequence[Mapping[str, Any]]]) -> float:
    """Mean over seeds of the final value minus that three quarters of the way."""
    gains = []
    for history in histories:
        last = history[-1]["step"]
        before = [row[grid.metric] for row in history if row["step"] <= 0.75 * last]
        if before:
            gains.append(history[-1][grid.metric] - before[-1])
    return statistics.fmean(gains) if gains else 0.0
