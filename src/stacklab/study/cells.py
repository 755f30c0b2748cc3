"""What each cell of a grid came to, and the smallest depth that solves."""

import statistics
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Literal, NamedTuple

from stacklab.base.spec import Items, Spec
from stacklab.study.collect import Row, curves
from stacklab.study.grid import combinations, measured
from stacklab.study.grid_spec import GridSpec
from stacklab.study.plan import ArmPlan, Plan
from stacklab.train.spec import StopSpec
from stacklab.train.stop import solved_at

RISING = 0.02
"""A rise of the mean by more than this, from the third quarter of training to the last, means that it was cut early."""
FALLING = 0.05
"""So does a fall of the loss by more than this share of it: before a task is found, only the loss tells of learning."""
NEAR = 0.02
"""Above the baseline by no more than this is at the baseline."""

ENOUGH = 2
"""A stack that fails had at least so many times the steps of the deeper one that solves."""

FAILED = ("partial", "at baseline")
CellVerdict = Literal["solved", "partial", "at baseline", "not trained long enough", "invalid"]


class SeedOutcome(Spec):
    """`steps`: the first step of the last evaluations in a row that solved, None where it did not come to that;
    `trained`: all steps."""

    seed: int
    final: float
    steps: int | None
    trained: int


class Progress(NamedTuple):
    """From the third quarter of training to the last: what the metric rose by, and the share that the loss fell by."""

    rise: float
    fall: float


class Cell(Spec):
    arm: str
    at: dict[str, str]
    """Axis -> value."""
    baseline: float | None
    outcomes: Items[SeedOutcome]
    """Of the seeds that finished."""
    planned: int
    """Seeds, those that were lost among them."""
    verdict: CellVerdict
    reason: str

    @property
    def mean(self) -> float | None:
        return statistics.fmean(one.final for one in self.outcomes) if self.outcomes else None


class Threshold(Spec):
    """The smallest value of the depth axis at which a majority of seeds solve, with all other axes held at `at`.

    depth: None where no value does. at_most: the value before it was not run or proves nothing. solved: (value, seeds
    that solve, seeds that were planned) of every depth.
    """

    at: dict[str, str]
    depth: str | None
    at_most: bool = False
    solved: Items[tuple[str, int, int]]


def read_cells(plan: Plan, rows: Sequence[Row], out: Path) -> list[Cell]:
    """A cell for all that an arm of the grid is measured on; empty for a study without a grid.

    An arm that was tuned stands in its cell at its own best rate.
    """
    grid = plan.study.grid
    if grid is None:
        return []
    evals = curves(plan, out, "evals")
    tuned = {arm.tuned_from: arm for arm in plan.arms if arm.tuned_from}
    planned = {arm.name: tuned.get(arm.name, arm) for arm in plan.arms if not arm.tuned_from}
    found = []
    for name, values in combinations(grid.axes).items():
        if (arm := planned.get(name)) is None:
            continue
        own = [row for row in rows if row.arm == arm.name]
        histories = {row.seed: evals[arm.name, row.seed] for row in own if row.status == "finished"}
        for on, metric in measured(grid.axes, grid.metric):
            at = {value.axis: value.value for value in values} | on
            places = {axis: at[axis] for axis in grid.axes}
            found.append(_cell(arm, places, grid, metric, own, histories))
    rates = 1 if plan.tuning is None else len(plan.tuning.learning_rates)
    own_best = {arm.name for arm in tuned.values()}
    return [with_rates(with_budget(cell, found, grid), rates if cell.arm in own_best else 1) for cell in found]


def thresholds(grid: GridSpec, cells: Sequence[Cell]) -> list[Threshold]:
    """One for each combination of the other axes."""

    def others(cell: Cell) -> tuple[tuple[str, str], ...]:
        return tuple(item for item in cell.at.items() if item[0] != grid.depth)

    order = {at: index for index, at in enumerate(dict.fromkeys(map(others, cells)))}
    found = []
    for at, group in groupby(sorted(cells, key=lambda cell: order[others(cell)]), key=others):
        column = list(group)
        solved = tuple((cell.at[grid.depth], _solved(cell, grid), cell.planned) for cell in column)
        first = next((cell.at[grid.depth] for cell in column if cell.verdict == "solved"), None)
        found.append(Threshold(at=dict(at), depth=first, at_most=_at_most(grid, column, first), solved=solved))
    return found


def _at_most(grid: GridSpec, column: Sequence[Cell], first: str | None) -> bool:
    """Whether the value just below the first that solves was not shown to fail."""
    values = grid.values(grid.depth)
    if first is None or first == values[0]:
        return False
    below = values[values.index(first) - 1]
    return not any(cell.at[grid.depth] == below and cell.verdict in FAILED for cell in column)


def with_budget(cell: Cell, cells: Sequence[Cell], grid: GridSpec) -> Cell:
    """A stack that fails must have had twice the steps in which the next deeper one that solves did so."""
    if cell.verdict not in FAILED:
        return cell
    others = {axis: value for axis, value in cell.at.items() if axis != grid.depth}
    column = [one for one in cells if {axis: one.at[axis] for axis in others} == others]
    solved = [one for one in column[column.index(cell) + 1 :] if one.verdict == "solved"]
    if not solved:
        told = f"{cell.reason}; no deeper stack here solves, so nothing shows how many steps it takes"
        return cell.model_copy(update={"reason": told})
    needed = statistics.median(one.steps or one.trained for one in solved[0].outcomes)
    times = min(one.trained for one in _unsolved(cell, grid)) / needed
    told = f"{cell.reason}; trained {times:.1f} times as long as {grid.depth} {solved[0].at[grid.depth]} took to solve"
    verdict: CellVerdict = cell.verdict if times >= ENOUGH else "not trained long enough"
    return cell.model_copy(update={"verdict": verdict, "reason": told})


def with_rates(cell: Cell, tried: int) -> Cell:
    """A stack that fails says whether it was given another learning rate."""
    if cell.verdict not in FAILED:
        return cell
    told = f"at the best of {tried} learning rates" if tried > 1 else "at one learning rate, no other was tried"
    return cell.model_copy(update={"reason": f"{cell.reason}; {told}"})


def predicted_depth(grid: GridSpec, at: Mapping[str, str]) -> str | None:
    """What theory gives the column of `at`; None where it says nothing."""
    predictions = grid.predicted.depths if grid.predicted else ()
    return next((one.depth for one in predictions if one.at.items() <= at.items()), None)


def _cell(
    arm: ArmPlan,
    at: dict[str, str],
    grid: GridSpec,
    metric: str,
    rows: Sequence[Row],
    histories: Mapping[int, Sequence[Mapping[str, Any]]],
) -> Cell:
    finished = [row for row in rows if row.status == "finished"]
    if any(metric not in row.metrics for row in finished):
        why = f"its runs do not measure {metric}"
        return Cell(arm=arm.name, at=at, baseline=None, outcomes=(), planned=len(rows), verdict="invalid", reason=why)
    outcomes = tuple(
        SeedOutcome(
            seed=row.seed,
            final=row.metrics[metric],
            steps=solved_at(StopSpec(metric=metric, at_least=grid.solved, evaluations=1), histories[row.seed]),
            trained=row.step,
        )
        for row in finished
    )
    baseline = arm.baselines.get(metric)
    cell = Cell(
        arm=arm.name, at=at, baseline=baseline, outcomes=outcomes, planned=len(rows), verdict="invalid", reason=""
    )
    verdict, reason = judge(cell, grid, rows, progress(metric, [histories[one.seed] for one in _unsolved(cell, grid)]))
    return cell.model_copy(update={"verdict": verdict, "reason": reason})


def judge(cell: Cell, grid: GridSpec, rows: Sequence[Row], others: Progress | None) -> tuple[CellVerdict, str]:
    """The verdict on a cell, whatever verdict it carries, and the sentence that says why.

    others: the progress of the seeds that do not solve, in the mean; None where evaluations are too few to tell.
    """
    lost = [row for row in rows if row.status != "finished"]
    if 2 * len(lost) >= len(rows):
        return "invalid", f"seed {lost[0].seed}: {lost[0].status}"
    count, mean = _solved(cell, grid), cell.mean
    assert mean is not None
    told = f"{count} of {len(rows)} seeds reach {grid.solved:g}"
    if 2 * count > len(rows):
        return "solved", told
    if others is None:
        return "not trained long enough", f"{told}; evaluations are too few to tell whether the others still learn"
    if others.rise > RISING:
        rise = f"the others' mean rose by {others.rise:.2g} in the last quarter of training"
        return "not trained long enough", f"{told}; {rise}"
    if others.fall > FALLING:
        fall = f"the others' loss fell by {others.fall:.0%} in the last quarter of training"
        return "not trained long enough", f"{told}; {fall}"
    if cell.baseline is not None and mean <= cell.baseline + NEAR:
        return "at baseline", f"{told}; the mean {mean:.3f} is not above that of guessing ({cell.baseline:.3f})"
    return "partial", f"{told}; the mean is {mean:.3f}"


def _solved(cell: Cell, grid: GridSpec) -> int:
    return len(cell.outcomes) - len(_unsolved(cell, grid))


def _unsolved(cell: Cell, grid: GridSpec) -> list[SeedOutcome]:
    return [one for one in cell.outcomes if one.final < grid.solved]


def progress(metric: str, histories: Sequence[Sequence[Mapping[str, Any]]]) -> Progress | None:
    """Mean over seeds; None without a seed that was evaluated in both quarters."""
    loss = f"{metric.partition('.')[0]}.loss"
    found = []
    for history in histories:
        last = history[-1]["step"]
        third, fourth = (
            [row for row in history if low * last < row["step"] <= (low + 0.25) * last] for low in (0.5, 0.75)
        )
        if third and fourth:
            before, after = (
                {name: statistics.fmean(row[name] for row in rows) for name in (metric, loss)}
                for rows in (third, fourth)
            )
            found.append((after[metric] - before[metric], 1 - after[loss] / before[loss]))
    if not found:
        return None
    rises, falls = zip(*found, strict=True)
    return Progress(statistics.fmean(rises), statistics.fmean(falls))
