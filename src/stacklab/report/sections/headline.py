"""The headline numbers: every metric of every arm."""

from stacklab.base.units import confidence
from stacklab.report.facts.arms import ArmFact
from stacklab.report.facts.build import Facts
from stacklab.report.facts.estimates import Measure
from stacklab.report.format.numbers import NOTHING, compact, measure_text
from stacklab.report.format.palette import color_of
from stacklab.report.format.table import CsvTable, TextCell, TextTable, in_sections, interval_columns
from stacklab.report.sections.section import Section, TableBlock
from stacklab.run.metrics import SIZE, Metric
from stacklab.stats.result import Undefined

LONGEST_COUNT = 1e9
"""Larger ones are printed to three digits only; facts.json and headline.csv have them whole."""


def headline(facts: Facts) -> Section:
    return Section(
        name="headline",
        title="Headline numbers",
        lead=f"Mean ± half width of the {confidence(facts.level)} t interval over seeds. Losses are measured on fixed "
        "sequences without dropout.",
        blocks=(TableBlock(headline_table(facts), "wide", tuple(color_of(arm) for arm in facts.arms)),),
        csv=(_csv(facts),),
    )


def headline_table(facts: Facts) -> TextTable:
    """Metrics down, arms across."""
    metrics = [metric for metric in facts.metrics if any(arm.measure(metric.name) is not None for arm in facts.arms)]
    rows = [
        (metric.group, (TextCell(metric.title, metric.unit), *(_cell(arm, metric) for arm in facts.arms)))
        for metric in metrics
    ]
    heads = [TextCell(arm.label, f"{arm.finished} of {arm.planned} runs") for arm in facts.arms]
    reasons = {
        measure.estimate.reason
        for arm in facts.arms
        for measure in arm.measures
        if isinstance(measure.estimate, Undefined) and measure.seeds
    }
    notes = tuple(f"± undefined: {reason}" for reason in sorted(reasons))
    return TextTable((TextCell("", f"mean ± {confidence(facts.level)} CI"), *heads), *in_sections(rows), notes)


def _cell(arm: ArmFact, metric: Metric) -> TextCell:
    measure = arm.measure(metric.name)
    if measure is None or measure.mean is None:
        return TextCell(NOTHING, "" if arm.finished else "no finished run")
    if metric.group == SIZE:
        return TextCell(compact(measure.mean), f"{measure.mean:,.0f}" if measure.mean < LONGEST_COUNT else "")
    n = len(measure.values)
    note = f"n = {n}" if n != arm.finished else ""
    undefined = isinstance(measure.estimate, Undefined)
    return TextCell(measure_text(metric.style, measure), "± undefined" if undefined else note)


def _csv(facts: Facts) -> CsvTable[tuple[ArmFact, Measure]]:
    return CsvTable(
        "headline.csv",
        [(arm, measure) for arm in facts.arms for measure in arm.measures],
        {
            "arm": lambda row: row[0].name,
            "label": lambda row: row[0].label,
            "metric": lambda row: row[1].metric,
            "unit": lambda row: facts.metric(row[1].metric).unit,
            "n": lambda row: len(row[1].seeds),
            "mean": lambda row: row[1].mean,
            **interval_columns(lambda row: row[1].estimate),
        },
    )
