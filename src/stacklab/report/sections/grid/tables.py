"""The tables of a grid of arms: thresholds, and every cell with its seeds."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from stacklab.report.facts.build import Facts
from stacklab.report.format.numbers import NOTHING
from stacklab.report.format.table import Columns, CsvTable, TextRow, TextTable, text_row
from stacklab.study.results.cell import Cell, CellVerdict, SeedOutcome
from stacklab.study.results.cells import Threshold, predicted_depth
from stacklab.study.spec.grid import GridSpec

MARKS: dict[CellVerdict, str] = {
    "solved": "✓",
    "partial": "◐",
    "at baseline": "○",
    "not trained long enough": "…",
    "one rate tried": "?",
    "invalid": "!",
}


def cell_table(facts: Facts) -> TextTable | None:
    """Every cell with its seeds."""
    if facts.grid is None or not facts.cells:
        return None
    heads = (*facts.grid.axes, "Verdict", "Mean", "By seed", "Steps to solve", "Guessing", "Other rates", "Why")
    return TextTable(text_row(*heads), tuple(_row(cell) for cell in facts.cells))


def threshold_table(facts: Facts) -> TextTable | None:
    """The smallest depth that solves, with the seeds of every depth."""
    if facts.grid is None or not facts.thresholds:
        return None
    heads, rows = threshold_texts(facts.grid, facts.thresholds)
    return TextTable(text_row(*heads), tuple(text_row(*row) for row in rows))


def threshold_texts(grid: GridSpec, thresholds: Sequence[Threshold]) -> tuple[list[str], list[list[str]]]:
    """Heads and rows of that table."""
    others = [axis for axis in grid.axes if axis != grid.depth]
    predicted = ["predicted"] if grid.predicted else []
    heads = [
        *others,
        f"smallest value of {grid.depth} at which a majority of seeds solve",
        *predicted,
        f"seeds by {grid.depth}",
    ]
    rows = []
    for threshold in thresholds:
        seeds = ", ".join(f"{depth}: {count} of {total}" for depth, count, total in threshold.solved)
        prediction = [predicted_depth(grid, threshold.at) or NOTHING] if grid.predicted else []
        smallest = f"{'at most ' if threshold.at_most else ''}{threshold.depth}" if threshold.depth else "none of these"
        rows.append([*(threshold.at[axis] for axis in others), smallest, *prediction, seeds])
    return heads, rows


def _row(cell: Cell) -> TextRow:
    steps = ", ".join(NOTHING if one.steps is None else str(one.steps) for one in cell.outcomes)
    mean = NOTHING if cell.mean is None else f"{cell.mean:.3f}"
    guess = NOTHING if cell.baseline is None else f"{cell.baseline:.3f}"
    rates = "; ".join(f"{one.learning_rate:g}: {_finals(one)}" for one in cell.others)
    verdict = f"{MARKS[cell.verdict]} {cell.verdict}"
    texts = (*cell.at.values(), verdict, mean, _finals(cell), steps, guess, rates, cell.reason)
    return text_row(*(text or NOTHING for text in texts))


def _finals(cell: Cell) -> str:
    return ", ".join(f"{one.final:.3f}" for one in cell.outcomes)


class CellSeed(NamedTuple):
    """One seed of a cell at one learning rate. `outcome` None: no seed has a result there."""

    cell: Cell
    shown: bool
    """Whether the cell is shown at this rate."""
    outcome: SeedOutcome | None


def cells_csv(facts: Facts) -> CsvTable[CellSeed]:
    """A row for each seed of each cell at each learning rate, and one without a seed where there is none."""
    rows = [
        CellSeed(at_rate, at_rate is cell, outcome)
        for cell in facts.cells
        for at_rate in (cell, *cell.others)
        for outcome in at_rate.outcomes or (None,)
    ]
    axes: Columns[CellSeed] = {axis: _at(axis) for axis in (facts.grid.axes if facts.grid else ())}
    return CsvTable(
        "cells.csv",
        rows,
        {
            "arm": lambda row: row.cell.arm,
            **axes,
            "learning_rate": lambda row: row.cell.learning_rate,
            "shown": lambda row: row.shown,
            "verdict": lambda row: row.cell.verdict,
            "reason": lambda row: row.cell.reason,
            "guessing": lambda row: row.cell.baseline,
            "seed": lambda row: row.outcome.seed if row.outcome else None,
            "final": lambda row: row.outcome.final if row.outcome else None,
            "steps_to_solve": lambda row: row.outcome.steps if row.outcome else None,
            "trained": lambda row: row.outcome.trained if row.outcome else None,
        },
    )


def _at(axis: str) -> Callable[[CellSeed], str]:
    return lambda row: row.cell.at[axis]
