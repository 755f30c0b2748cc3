"""The verdicts for a terminal."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stacklab.report.format.numbers import NOTHING, difference_text, interval_text
from stacklab.report.format.remarks import remark_lines
from stacklab.report.format.verdicts import demonstration_text, mark_of, why
from stacklab.report.sections.grid.tables import threshold_texts
from stacklab.run.metrics import describe
from stacklab.stats.result import Estimate
from stacklab.study.results.analyse import ClaimResult
from stacklab.study.results.cell import Cell
from stacklab.study.results.cells import thresholds
from stacklab.study.results.results import StudyResult
from stacklab.study.spec.grid import GridSpec

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions
    from rich.table import Table
    from rich.text import Text

WIDE = 110
"""Columns from which the numbers have columns of their own; below, they stand under their claim."""
SHORTEST = 14
"""Columns that a verdict takes at least: its longest single word with the mark."""


@dataclass(frozen=True)
class VerdictTable:
    """What `rich` prints: a row per comparison, grouped by metric, and lines that say how to read it."""

    result: StudyResult

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "Iterator[Text | Table]":
        from rich.text import Text

        plan = self.result.plan
        if plan.study.scales[plan.scale].demonstration:
            yield Text(demonstration_text(plan.scale), style="bold yellow")
        yield Text(self.result.summary)
        if confirmatory := [claim for claim in self.result.claims if claim.confirmatory]:
            yield _table(confirmatory, wide=options.max_width >= WIDE)
        if exploratory := [claim.word for claim in self.result.claims if not claim.confirmatory]:
            counts = ", ".join(f"{number} {word}" for word, number in Counter(exploratory).items())
            yield Text(f"exploratory comparisons, listed in the report: {counts}")
        if (grid := self.result.plan.study.grid) is not None and self.result.cells:
            yield _thresholds(grid, self.result.cells)
        for line in remark_lines(self.result.remarks):
            yield Text(f"ledger: {line}", style="yellow")
        for line in _after(self.result):
            yield Text(line, style="dim")


def _thresholds(grid: GridSpec, cells: Sequence[Cell]) -> "Table":
    """The thresholds of a study whose arms are a grid."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    heads, rows = threshold_texts(grid, thresholds(grid, cells))
    table = Table(box=SIMPLE_HEAD, padding=(0, 1))
    for head in heads:
        table.add_column(Text(head))
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def verdict_table(result: StudyResult) -> VerdictTable:
    return VerdictTable(result)


def _table(claims: list[ClaimResult], *, wide: bool) -> "Table":
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, padding=(0, 1))
    table.add_column("claim", max_width=46 if wide else 56)
    for head in ("difference [t interval]", "[bootstrap]") if wide else ():
        table.add_column(Text(head), no_wrap=True)
    table.add_column("verdict", min_width=SHORTEST)
    last = ""
    for claim in claims:
        if last and claim.metric != last:
            table.add_section()
        last = claim.metric
        mark = mark_of(claim)
        difference, bootstrap = _numbers(claim)
        statement = Text(claim.statement)
        if not wide:
            statement.append(f"\n{difference}, bootstrap {bootstrap}")
        reason = why(claim)
        statement.append(f"\n{reason}", style="dim")
        verdict = Text(f"{mark.glyph} {claim.word}", style=f"bold {mark.terminal}")
        table.add_row(statement, *((Text(difference), Text(bootstrap)) if wide else ()), verdict)
    return table


def _numbers(claim: ClaimResult) -> tuple[str, str]:
    """Difference and bootstrap interval; those of an invalid comparison would mislead."""
    if claim.verdict == "invalid" or not isinstance(claim.difference, Estimate):
        return NOTHING, NOTHING
    style = describe(claim.metric).style
    return difference_text(style, claim.difference), interval_text(style, claim.bootstrap)


def _after(result: StudyResult) -> Iterator[str]:
    plan = result.plan
    if not result.claims:
        if not plan.study.is_plain:
            yield "this study makes no claim at this scale"
        return
    seeds = f"{len(plan.seeds)} seed{'s' if len(plan.seeds) > 1 else ''}"
    if plan.looks > 1:
        yield f"look {plan.look} of {plan.looks} declared: judged at 1/{plan.looks} of each claim's level"
    yield f"difference: arm minus the other, {_how(result.claims)}; {seeds}, scale {plan.scale}"
    if plan.not_asked:
        yield f"left out at this scale: {len(plan.not_asked)} comparisons (see the report)"


def _how(claims: list[ClaimResult]) -> str:
    unpaired = sum(claim.pairing == "unpaired" for claim in claims)
    if not unpaired:
        return "paired by seed"
    if unpaired == len(claims):
        return "unpaired, since the arms differ in a setting that changes the batches"
    return f"paired by seed but for {unpaired} whose arms differ in a setting that changes the batches: unpaired"
