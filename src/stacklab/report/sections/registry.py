"""The sections of the report, in the order of the page."""

from collections.abc import Callable, Iterable

from stacklab.report.drawing.figure import Figure
from stacklab.report.facts.build import Facts
from stacklab.report.sections.aggregates import aggregates
from stacklab.report.sections.claims.claims import claims
from stacklab.report.sections.claims.evidence import power
from stacklab.report.sections.costs import accuracy, costs
from stacklab.report.sections.curves import curves
from stacklab.report.sections.grid.grid import grid
from stacklab.report.sections.headline import headline
from stacklab.report.sections.ledger import ledger
from stacklab.report.sections.log import log
from stacklab.report.sections.samples import samples
from stacklab.report.sections.section import Block, Details, FigureBlock, Section
from stacklab.report.sections.setup.architecture import architecture
from stacklab.report.sections.setup.configuration import configuration, controls, limits
from stacklab.report.sections.setup.provenance import provenance
from stacklab.report.sections.source import audit, reported
from stacklab.report.sections.trend.trend import trend
from stacklab.report.sections.tuning import tuning

SECTIONS: tuple[Callable[[Facts], Section | None], ...] = (
    claims,
    grid,
    headline,
    curves,
    costs,
    trend,
    accuracy,
    aggregates,
    tuning,
    power,
    controls,
    configuration,
    architecture,
    ledger,
    log,
    samples,
    reported,
    audit,
    provenance,
    limits,
)
"""None: the facts have nothing for it, and it has no CSV file."""


def sections(facts: Facts) -> tuple[Section, ...]:
    """All sections with blocks or CSV files; those without blocks do not appear in a page."""
    return tuple(section for make in SECTIONS if (section := make(facts)) is not None)


def figures(made: Iterable[Section]) -> dict[str, Figure]:
    """The figures of the sections by name, folded ones too."""
    return {
        block.figure.name: block.figure
        for section in made
        for block in unfolded(section.blocks)
        if isinstance(block, FigureBlock)
    }


def csv_files(made: Iterable[Section]) -> dict[str, str]:
    """File name -> text, of all tables that the sections have. A file without rows still has its heads."""
    return {table.name: table.text() for section in made for table in section.csv}


def unfolded(blocks: Iterable[Block]) -> Iterable[Block]:
    """The blocks, and those within details."""
    for block in blocks:
        yield block
        if isinstance(block, Details):
            yield from unfolded(block.blocks)
