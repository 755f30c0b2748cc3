"""The cells of a study with a grid, and the smallest depth that solves."""

import statistics
from collections.abc import Collection, Mapping, Sequence
from itertools import groupby
from pathlib import Path

from stacklab.base.spec import Items, Spec
from stacklab.study.planning.plan import ArmPlan, Plan
from stacklab.study.planning.retry import retry_plan
from stacklab.study.results.cell import FAILED, Cell, CellVerdict, count_solved, read_cell, unsolved
from stacklab.study.results.collect import Row, collect, curves
from stacklab.study.spec.grid import GridSpec

ENOUGH = 2
"""A stack fails only if trained for at least this many times the steps in which the next deeper one solved."""


class Threshold(Spec):
    """The smallest value of the depth axis at which a majority of seeds solve, with all other axes held at `at`.

    depth: None if no value does. at_most: the next smaller value was not run, or not shown to fail. solved: (value,
    seeds that solve, planned seeds) for every depth.
    """

    at: dict[str, str]
    depth: str | None
    at_most: bool = False
    solved: Items[tuple[str, int, int]]


def read_cells(plan: Plan, rows: Sequence[Row], out: Path) -> list[Cell]:
    """A cell for every arm and metric of the grid; empty for a study without a grid.

    The cell of a tuned arm is that of its own best rate. An arm that failed and was retried has the cell of the first
    rate that solves, else of the rate with the highest mean; so has a tuned arm that fails, between its own best rate
    and the shared one.
    """
    grid = plan.study.grid
    if grid is None:
        return []
    tuned = [arm for arm in plan.arms if arm.origin]
    shared = [plan.arm(arm.origin) for arm in tuned if plan.arm(arm.origin).config != arm.config]
    first = _cells_of(_without(plan, {arm.origin for arm in tuned}), grid, rows, out)
    others = _cells_of(plan.model_copy(update={"arms": tuple(shared)}), grid, rows, out)
    others += _ended(retry_plan(plan, _failing(first, grid)), grid, out)
    best = [_best(cell, [one for one in others if one.at == cell.at]) for cell in first]
    in_grid = {name for arm in tuned for name in (arm.name, arm.origin)}
    rates = set() if plan.tuning is None else set(plan.tuning.learning_rates)
    return [
        with_rates(with_budget(cell, best, grid), len(_rates_of(cell) | (rates if cell.arm in in_grid else set())))
        for cell in best
    ]


def to_retry(plan: Plan, out: Path) -> Plan:
    """The plan of all retries of the stacks that fail, already trained or not."""
    grid = plan.study.grid
    if grid is None or plan.retry is None:
        return retry_plan(plan, ())
    return retry_plan(plan, _failing(_cells_of(plan, grid, collect(plan, out), out), grid))


def _failing(first: Sequence[Cell], grid: GridSpec) -> set[str]:
    return {cell.arm for cell in first if with_budget(cell, first, grid).verdict in FAILED}


def _cells_of(plan: Plan, grid: GridSpec, rows: Sequence[Row], out: Path) -> list[Cell]:
    """The cells in the order of the axes, each judged alone."""
    evals = curves(plan, out, "evals")
    arms: dict[str, list[ArmPlan]] = {}
    for arm in plan.arms:
        arms.setdefault(arm.origin or arm.name, []).append(arm)
    cells = []
    for name, values in grid.combinations().items():
        for arm in arms.get(name, ()):
            own = [row for row in rows if row.arm == arm.name]
            histories = {row.seed: evals[arm.name, row.seed] for row in own if row.status == "finished"}
            for on, metric in grid.measured():
                at = {value.axis: value.value for value in values} | on
                cells.append(read_cell(arm, {axis: at[axis] for axis in grid.axes}, grid, metric, own, histories))
    return cells


def _without(plan: Plan, names: Collection[str]) -> Plan:
    return plan.model_copy(update={"arms": tuple(arm for arm in plan.arms if arm.name not in names)})


def _rates_of(cell: Cell) -> set[float]:
    return {one.learning_rate for one in (cell, *cell.others)}


def _ended(again: Plan, grid: GridSpec, out: Path) -> list[Cell]:
    """The cells of arms whose runs have all ended: only those rates count as tried."""
    rows = collect(again, out)
    unfinished = {row.arm for row in rows if row.status not in ("finished", "diverged")}
    return [cell for cell in _cells_of(again, grid, rows, out) if cell.arm not in unfinished]


def _best(first: Cell, others: Sequence[Cell]) -> Cell:
    tried = (first, *others)
    solved = [cell for cell in tried if cell.verdict == "solved"]
    shown = solved[0] if solved else max(tried, key=lambda cell: -1.0 if cell.mean is None else cell.mean)
    reason = shown.reason
    if solved and shown is not first:
        reason += f"; at a learning rate of {shown.learning_rate:g}, not at {first.learning_rate:g}"
    return shown.model_copy(update={"reason": reason, "others": tuple(cell for cell in tried if cell is not shown)})


def thresholds(grid: GridSpec, cells: Sequence[Cell]) -> list[Threshold]:
    """One threshold for each combination of the other axes."""

    def others(cell: Cell) -> tuple[tuple[str, str], ...]:
        return tuple(item for item in cell.at.items() if item[0] != grid.depth)

    order = {at: index for index, at in enumerate(dict.fromkeys(map(others, cells)))}
    columns = []
    for at, group in groupby(sorted(cells, key=lambda cell: order[others(cell)]), key=others):
        column = list(group)
        solved = tuple((cell.at[grid.depth], count_solved(cell, grid), cell.planned) for cell in column)
        first = next((cell.at[grid.depth] for cell in column if cell.verdict == "solved"), None)
        columns.append(Threshold(at=dict(at), depth=first, at_most=_at_most(grid, column, first), solved=solved))
    return columns


def _at_most(grid: GridSpec, column: Sequence[Cell], first: str | None) -> bool:
    """Whether the value just below the first that solves was not shown to fail."""
    values = grid.values(grid.depth)
    if first is None or first == values[0]:
        return False
    below = values[values.index(first) - 1]
    return not any(cell.at[grid.depth] == below and cell.verdict in FAILED for cell in column)


def with_budget(cell: Cell, cells: Sequence[Cell], grid: GridSpec) -> Cell:
    """The cell; a stack with fewer than ENOUGH times the steps in which the next deeper one solved does not fail."""
    if cell.verdict not in FAILED:
        return cell
    others = {axis: value for axis, value in cell.at.items() if axis != grid.depth}
    column = [one for one in cells if {axis: one.at[axis] for axis in others} == others]
    solved = [one for one in column[column.index(cell) + 1 :] if one.verdict == "solved"]
    if not solved:
        reason = f"{cell.reason}; no deeper stack here solves, so the steps that it takes are unknown"
        return cell.model_copy(update={"reason": reason})
    needed = statistics.median(one.steps or one.trained for one in solved[0].outcomes)
    times = min(one.trained for one in unsolved(cell, grid)) / needed
    reason = (
        f"{cell.reason}; trained {times:.1f} times as long as {grid.depth} {solved[0].at[grid.depth]} took to solve"
    )
    verdict: CellVerdict = cell.verdict if times >= ENOUGH else "not trained long enough"
    return cell.model_copy(update={"verdict": verdict, "reason": reason})


def with_rates(cell: Cell, tried: int) -> Cell:
    """The cell; a stack that was trained at one learning rate only does not fail. tried: number of rates."""
    if cell.verdict not in FAILED:
        return cell
    if tried > 1:
        rates = f"at the best of {tried} learning rates, {cell.learning_rate:g}"
        if rising := [f"{one.learning_rate:g}" for one in cell.others if one.verdict == "not trained long enough"]:
            rates += f"; at {' and '.join(rising)} it was worse, but not trained long enough"
        return cell.model_copy(update={"reason": f"{cell.reason}; {rates}"})
    rates = f"at {cell.learning_rate:g}, and no other learning rate was tried, so it does not count as failing"
    return cell.model_copy(update={"verdict": "one rate tried", "reason": f"{cell.reason}; {rates}"})


def predicted_depth(grid: GridSpec, at: Mapping[str, str]) -> str | None:
    """The predicted depth of the column `at`; None without a prediction."""
    predictions = grid.predicted.depths if grid.predicted else ()
    return next((one.depth for one in predictions if one.at.items() <= at.items()), None)
