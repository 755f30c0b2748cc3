"""`stacklab audit`"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from stacklab.audit.spec import Audit, Finding

Files = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE...",
        help="Training logs: text with log lines and stated numbers, CSV, JSON, TensorBoard events (file or folder); "
        "or the table of a research loop (results.tsv).",
    ),
]
StatedFile = Annotated[
    Path | None,
    typer.Option("--stated", help="A YAML file of stated numbers; they take precedence over those in the text."),
]
OutFile = Annotated[Path | None, typer.Option("--out", "-o", help="Also write the findings to this JSON file.")]

SUBJECT_WIDTH = 24
MARKS = {
    "contradiction": ("contradicts", "red"),
    "caution": ("caution", "yellow"),
    "agreement": ("agrees", "green"),
    "note": ("note", ""),
}
"""Severity of a finding -> its mark and the style of the mark."""


def audit(files: Files, stated: StatedFile = None, out: OutFile = None) -> None:
    """Check training logs and stated numbers against each other, and what they can support."""
    from stacklab.audit.examine import audit as examine_files
    from stacklab.base.files import write_json
    from stacklab.base.folders import check_output
    from stacklab.cli.options import results_console

    if out is not None:
        check_output(out, [*files, *([] if stated is None else [stated])])
    result = examine_files(files, stated=stated)
    console = results_console()
    console.print(result.conclusion, style="bold")
    console.print(_logs_line(result))
    if arms := _arms_line(result):
        console.print(arms)
    console.print(_table(result.findings))
    if out is not None:
        write_json(out, result.dump())
        console.print(f"findings: {out}", soft_wrap=True)


def _logs_line(result: "Audit") -> str:
    logs = [
        f"{log.name} ({', '.join(f'{points} {metric}' for metric, points in log.points.items()) or 'nothing usable'}, "
        f"to {log.unit} {log.last_step:,})"
        for log in result.logs
    ]
    return f"read: {'; '.join(logs) or 'no log'}"


def _arms_line(result: "Audit") -> str:
    """The arms and their runs, where an arm has several; else empty."""
    arms: dict[str, list[str]] = {}
    for log in result.logs:
        arms.setdefault(log.arm, []).append(f"seed {log.seed}" if log.seed else log.name)
    if len(arms) == len(result.logs):
        return ""
    return "arms: " + "; ".join(f"{arm} ({', '.join(runs)})" for arm, runs in arms.items())


def _table(findings: "Sequence[Finding]") -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table("", "subject", "finding", title="What the numbers show", title_justify="left")
    table.columns[1].max_width = SUBJECT_WIDTH
    groups = dict.fromkeys(finding.group for finding in findings)
    for group in groups:
        table.add_section()
        table.add_row("", Text(group, "bold"), "")
        for finding in findings:
            if finding.group == group:
                table.add_row(Text(*MARKS[finding.severity]), finding.subject, finding.sentence)
    return table
