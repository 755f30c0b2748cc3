"""The source's numbers beside those of this study, and what the source's own log shows."""

from stacklab.audit.spec import Audit
from stacklab.base.units import confidence
from stacklab.report.facts.build import Facts
from stacklab.report.facts.references import ReportedFact
from stacklab.report.format.numbers import NOTHING, alone, difference_text, measure_text, signed
from stacklab.report.format.table import CsvTable, TextCell, TextRow, TextTable, interval_columns, text_row
from stacklab.report.sections.section import Bullets, Heading, Section, TableBlock, shown
from stacklab.run.metrics import SIZE, Metric
from stacklab.stats.result import Undefined


def reported(facts: Facts) -> Section:
    table, differences = reported_table(facts), facts.source.differences if facts.source else ()
    return Section(
        name="reported",
        title="Reported beside reproduced",
        lead=f"Source: {facts.source.title}. {facts.source.settings_note}" if facts.source else "",
        blocks=shown(
            TableBlock(table) if table else None,
            Heading("Why the numbers may differ") if differences else None,
            Bullets(differences) if differences else None,
        ),
        csv=(_csv(facts),),
    )


def reported_table(facts: Facts) -> TextTable | None:
    if facts.source is None or not facts.source.rows:
        return None
    rows = []
    for row in facts.source.rows:
        metric = facts.metric(row.metric)
        printed = TextCell(alone(metric.style, row.reported), row.note)
        cells = (TextCell(row.label), TextCell(metric.title, metric.unit), printed)
        rows.append((*cells, _reproduced(row, metric, facts.level), _gap(row, metric)))
    return TextTable(text_row("Arm", "Metric", "Reported", "Reproduced", "Reproduced − reported"), tuple(rows))


def _reproduced(row: ReportedFact, metric: Metric, level: float) -> TextCell:
    if row.reproduced is None:
        return TextCell(NOTHING, row.absent)
    seeds = len(row.reproduced.seeds)
    basis = f"mean of {seeds} seeds ± {confidence(level)} CI" if seeds > 1 else "one seed, no interval"
    return TextCell(measure_text(metric.style, row.reproduced), "counted" if metric.group == SIZE else basis)


def _gap(row: ReportedFact, metric: Metric) -> TextCell:
    if row.gap is None or row.difference is None:
        return TextCell(NOTHING)
    undefined = isinstance(row.difference, Undefined)
    return TextCell(signed(metric.style, row.gap) if undefined else difference_text(metric.style, row.difference))


def _csv(facts: Facts) -> CsvTable[ReportedFact]:
    return CsvTable(
        "reported.csv",
        facts.source.rows if facts.source else (),
        {
            "arm": lambda row: row.arm,
            "metric": lambda row: row.metric,
            "reported": lambda row: row.reported,
            "note": lambda row: row.note,
            "n": lambda row: len(row.reproduced.seeds) if row.reproduced else 0,
            "reproduced": lambda row: row.reproduced.mean if row.reproduced else None,
            "difference": lambda row: row.gap,
            **interval_columns(lambda row: row.difference),
            "absent": lambda row: row.absent,
        },
    )


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
