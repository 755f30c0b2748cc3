"""What the source's own log shows, beside what was reproduced."""

from stacklab.report.facts.build import Facts
from stacklab.report.sections.tables import Cell, Table

SAID = {"contradiction": "contradicts", "caution": "caution", "agreement": "agrees", "note": "note"}


def audit(facts: Facts) -> Table | None:
    """A finding a row, by group; None where the report was written without an audit."""
    if facts.audit is None:
        return None
    rows: list[tuple[Cell, ...]] = []
    sections: list[tuple[int, str]] = []
    for group in dict.fromkeys(finding.group for finding in facts.audit.findings):
        sections.append((len(rows), group))
        rows += [
            (Cell(SAID[finding.severity]), Cell(finding.subject), Cell(finding.sentence))
            for finding in facts.audit.findings
            if finding.group == group
        ]
    return Table((Cell(""), Cell("Of"), Cell("Finding")), tuple(rows), tuple(sections))
