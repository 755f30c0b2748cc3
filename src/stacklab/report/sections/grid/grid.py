"""The grid: which of its stacks solve what."""

import math
import statistics
from collections.abc import Sequence
from itertools import groupby

from stacklab.report.drawing.figure import Axis, Figure, Key, Line, Panel, Points, spanning
from stacklab.report.facts.build import Facts
from stacklab.report.format.palette import color, symbol
from stacklab.report.sections.grid.tables import cell_table, cells_csv, threshold_table
from stacklab.report.sections.section import Block, Details, Heading, Section, TableBlock, figure_block, shown
from stacklab.run.metrics import describe
from stacklab.study.results.cell import Cell
from stacklab.study.results.cells import ENOUGH, predicted_depth
from stacklab.study.spec.grid import GridSpec


def grid(facts: Facts) -> Section:
    return Section(
        name="cells",
        title="The grid: what solves what",
        nav="The grid",
        lead=_lead(facts.grid) if facts.grid else "",
        blocks=_blocks(facts) if facts.cells else (),
        csv=(cells_csv(facts),),
    )


def _blocks(facts: Facts) -> tuple[Block, ...]:
    thresholds, cells, steps = threshold_table(facts), cell_table(facts), steps_to_solve(facts)
    return shown(
        TableBlock(thresholds) if thresholds else None,
        figure_block(maps(facts)),
        Heading(steps.title) if steps else None,
        figure_block(steps),
        Details(f"All {len(facts.cells)} cells with their seeds", (TableBlock(cells, "wide remarked"),))
        if cells
        else None,
    )


def _lead(grid: GridSpec) -> str:
    """When a cell is solved, and when one that is not counts as failing."""
    return (
        f"A cell is solved when a majority of its seeds reach {grid.solved:g} ({describe(grid.metric).title}); the "
        f"threshold is the smallest value of {grid.depth} at which that is so. A cell that is not solved is at the "
        "baseline of guessing, partial, or was not trained long enough: it was still learning when training ended, or "
        f"had fewer than {ENOUGH} times the steps in which the next deeper one that solves did so. A stack counts as "
        "failing only if it was also trained at other learning rates; it is shown at the one at which it does best."
    )


SHADES = ("#f1eef6", "#d0d1e6", "#a6bddb", "#74a9cf", "#2b8cbe", "#045a8d")
"""From guessing to solved (ColorBrewer PuBu, six classes)."""
PREDICTED = "#c0392b"
HALF = 0.45
"""Half the size of a cell: short of its edge, so that a place on the line belongs to one cell."""


def maps(facts: Facts) -> Figure | None:
    """Mean accuracy over depth and the axis across, a panel for each combination of the other axes."""
    if facts.grid is None or not facts.cells:
        return None
    grid = facts.grid
    panels = [_map(grid, title, cells) for title, cells in _panels(grid, facts.cells)]
    return Figure(
        name="maps",
        title=f"Accuracy over {grid.depth} and {grid.across}",
        caption=f"Colour: the mean over seeds ({describe(grid.metric).title}), from 0 (light) to 1 (dark); framed: a "
        f"majority of seeds reach {grid.solved:g}."
        + (f" Stacks above the line are predicted to: {grid.predicted.label}." if grid.predicted else ""),
        panels=tuple(panels),
        keys=(
            *(Key(f"from {low:.2f}", shade, "swatch") for low, shade in _scale()),
            Key("solved", None, "frame"),
            *([Key("predicted", PREDICTED, "solid")] if grid.predicted else []),
        ),
    )


def steps_to_solve(facts: Facts) -> Figure | None:
    """The step at which a seed solves, by depth: a dot per seed, a line through the medians."""
    if facts.grid is None:
        return None
    grid = facts.grid
    solved = [one.steps for cell in facts.cells for one in cell.outcomes if one.steps]
    if not solved:
        return None
    y = spanning("step", solved, log=True)
    across = list(dict.fromkeys(cell.at[grid.across] for cell in facts.cells))
    panels = [_steps_panel(grid, title, cells, across, y) for title, cells in _panels(grid, facts.cells)]
    return Figure(
        name="steps_to_solve",
        title="Steps to solve",
        caption=f"The step of the first of the final consecutive evaluations at {grid.solved:g} or more: a dot per "
        "seed that solved, a line through the medians. Seeds that did not solve are in the table.",
        panels=tuple(panels),
        keys=tuple(Key(f"{grid.across} {value}", color(i), symbol(i)) for i, value in enumerate(across)),
    )


def _steps_panel(grid: GridSpec, title: str, cells: Sequence[Cell], across: Sequence[str], y: Axis) -> Panel:
    depths = list(dict.fromkeys(cell.at[grid.depth] for cell in cells))
    lines, points = [], []
    for place, value in enumerate(across):
        steps = {
            float(depths.index(cell.at[grid.depth])): [float(one.steps) for one in cell.outcomes if one.steps]
            for cell in cells
            if cell.at[grid.across] == value
        }
        dots = [(x, step) for x, solved in steps.items() for step in solved]
        if dots:
            name = f"{grid.across} {value}"
            xs, ys = zip(*dots, strict=True)
            points.append(Points(name, xs, ys, color(place), symbol(place), size=6))
            middle = {x: statistics.median(solved) for x, solved in steps.items() if solved}
            lines.append(Line(name, tuple(middle), tuple(middle.values()), color(place)))
    return Panel(title, _named(grid.depth, depths), y, lines=tuple(lines), points=tuple(points))


def _panels(grid: GridSpec, cells: Sequence[Cell]) -> list[tuple[str, list[Cell]]]:
    """Title and cells of each combination of the axes that are neither depth nor across, in the order of the cells."""

    def title(cell: Cell) -> str:
        return ", ".join(value for axis, value in cell.at.items() if axis not in (grid.depth, grid.across))

    places = {name: index for index, name in enumerate(dict.fromkeys(map(title, cells)))}
    ordered = sorted(cells, key=lambda cell: places[title(cell)])
    return [(name or describe(grid.metric).title, list(group)) for name, group in groupby(ordered, key=title)]


def _map(grid: GridSpec, title: str, cells: Sequence[Cell]) -> Panel:
    columns = list(dict.fromkeys(cell.at[grid.across] for cell in cells))
    rows = list(dict.fromkeys(cell.at[grid.depth] for cell in cells))
    points = []
    for cell in cells:
        if cell.mean is None:
            continue
        x, y = (float(columns.index(cell.at[grid.across])),), (float(rows.index(cell.at[grid.depth])),)
        name = (
            f"{grid.depth} {cell.at[grid.depth]}, {grid.across} {cell.at[grid.across]}: {cell.mean:.3f} {cell.verdict}"
        )
        points.append(_square(name, x, y, cell.mean))
        if cell.verdict == "solved":
            points.append(Points(name, x, y, "#222222", "square", size=30, hollow=True))
    line = _predicted_line(grid, cells, columns, rows)
    return Panel(title, _named(grid.across, columns), _named(grid.depth, rows), points=tuple(points), over=line)


def _square(name: str, x: tuple[float], y: tuple[float], mean: float) -> Points:
    shade = _shade(mean)
    text = "#222222" if SHADES.index(shade) < len(SHADES) // 2 else "#ffffff"
    labels = (f"{mean:.2f}",)
    return Points(name, x, y, shade, "square", size=30, labels=labels, label_side="centre", label_color=text)


def _predicted_line(
    grid: GridSpec, cells: Sequence[Cell], columns: Sequence[str], rows: Sequence[str]
) -> tuple[Line, ...]:
    """Steps along the lower edge of the predicted cell of every column that has one within the map."""
    depths = {cell.at[grid.across]: predicted_depth(grid, cell.at) for cell in cells}
    crossed = sorted((columns.index(name), float(rows.index(depth))) for name, depth in depths.items() if depth in rows)
    if not crossed:
        return ()
    edges = [(place + side, y - HALF) for place, y in crossed for side in (-HALF, HALF)]
    xs, ys = zip(*edges, strict=True)
    return (Line("predicted", xs, ys, PREDICTED, width=2.5),)


def _named(title: str, values: Sequence[str]) -> Axis:
    return Axis(title, -0.6, len(values) - 0.4, ticks=tuple(map(float, range(len(values)))), labels=tuple(values))


def _scale() -> list[tuple[float, str]]:
    return [(index / len(SHADES), shade) for index, shade in enumerate(SHADES)]


def _shade(share: float) -> str:
    return SHADES[min(len(SHADES) - 1, max(0, math.floor(share * len(SHADES))))]
