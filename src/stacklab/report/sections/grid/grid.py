"""The grid: which of its stacks solve what."""

from stacklab.report.facts.build import Facts
from stacklab.report.sections.grid.maps import maps, steps_to_solve
from stacklab.report.sections.grid.tables import cell_table, cells_csv, threshold_table
from stacklab.report.sections.section import Block, Details, Heading, Section, TableBlock, figure_block, shown
from stacklab.run.metrics import describe
from stacklab.study.results.cells import ENOUGH
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
