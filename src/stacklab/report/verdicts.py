"""The verdicts for a terminal of 100 columns or more."""

from typing import TYPE_CHECKING

from stacklab.report.metrics import describe
from stacklab.report.text import NOTHING, difference_text, interval_text
from stacklab.report.verdict_marks import MARKS, why
from stacklab.stats.result import Estimate
from stacklab.study.analyse import ClaimResult
from stacklab.study.results import StudyResult

if TYPE_CHECKING:
    from rich.console import Group
    from rich.text import Text


def verdict_table(result: StudyResult) -> "Group":
    """A row per comparison, grouped by metric, and lines that say how to read it. To be printed by rich."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, padding=(0, 1))
    table.add_column("claim", max_width=46)
    for head in ("difference [t interval]", "[bootstrap]", "verdict"):
        table.add_column(Text(head), no_wrap=True)
    last = ""
    for claim in result.claims:
        if last and claim.metric != last:
            table.add_section()
        last = claim.metric
        mark = MARKS[claim.verdict]
        statement = Text(claim.statement)
        statement.append(f"\n{_why(claim)}", style="dim")
        difference, bootstrap = _numbers(claim)
        verdict = Text(f"{mark.glyph} {claim.verdict}", style=f"bold {mark.terminal}")
        table.add_row(statement, Text(difference), Text(bootstrap), verdict)
    shown = [table] if result.claims else []
    return Group(Text(result.plan.study.question, style="bold"), *shown, *_after(result))


def _why(claim: ClaimResult) -> str:
    return why(claim.verdict, claim.reason, claim.difference, claim.seeds_needed)


def _numbers(claim: ClaimResult) -> tuple[str, str]:
    if claim.verdict == "invalid" or not isinstance(claim.difference, Estimate):
        return NOTHING, NOTHING
    style = describe(claim.metric).style
    return difference_text(style, claim.difference), interval_text(style, claim.bootstrap)


def _after(result: StudyResult) -> "list[Text]":
    from rich.text import Text

    plan = result.plan
    seeds = f"{len(plan.seeds)} seed{'s' if len(plan.seeds) > 1 else ''}"
    lines = [Text(f"difference: arm minus the other, paired by seed; {seeds}, scale {plan.scale}", style="dim")]
    if not result.claims:
        lines.insert(0, Text("no claim is asked at this scale"))
    if plan.not_asked:
        lines.append(Text(f"not asked at this scale: {len(plan.not_asked)} comparisons (see the report)", style="dim"))
    return lines
