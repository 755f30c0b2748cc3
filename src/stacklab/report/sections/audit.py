"""What the source's own log shows, beside what was reproduced."""

from stacklab.audit.spec import Audit
from stacklab.report.facts.build import Facts
from stacklab.report.format.table import TextRow, TextTable, text_row
from stacklab.report.sections.section import Section, TableBlock

SEVERITIES = {"contradiction": "contradicts", "caution": "caution", "agreement": "agrees", "note": "note"}


def audit(facts: Facts) -> Section | None:
    """None where the report is written without an audit."""
    if facts.audit is None:
        return None
    return Section(
        name="audit",
        title="What the source's own numbers show",
        nav="The source's numbers",
        lead=f"Computed from {', '.join(facts.audit.files)} alone; nothing was trained for it.",
        blocks=(TableBlock(_table(facts.audit)),),
    )


def _table(source: Audit) -> TextTable:
    """A finding a row, by group."""
    rows: list[TextRow] = []
    sections: list[tuple[int, str]] = []
    for group in dict.fromkeys(finding.group for finding in source.findings):
        sections.append((len(rows), group))
        rows += [
            text_row(SEVERITIES[finding.severity], finding.subject, finding.sentence)
            for finding in source.findings
            if finding.group == group
        ]
    return TextTable(text_row("", "Of", "Finding"), tuple(rows), tuple(sections))
