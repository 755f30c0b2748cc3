"""Aggregates over tasks: the interquartile mean of every arm, as a table and as a figure."""

from dataclasses import replace

from stacklab.base.units import confidence
from stacklab.report.drawing.figure import Axis, Figure, Panel, Points, arm_keys, spanning
from stacklab.report.facts.build import Facts
from stacklab.report.format.numbers import NOTHING, alone
from stacklab.report.format.palette import color_of, symbol_of
from stacklab.report.format.table import CsvTable, TextCell, TextTable, interval_columns, value_or_none
from stacklab.report.sections.section import Section, TableBlock, figure_block, shown
from stacklab.stats.result import Estimate, Result, Undefined
from stacklab.study.results.aggregate import Aggregate, ArmAggregate

APART = 0.6
"""The width of an arm, of which every metric has a column and the mean the last, so that it hides no score. Arms are 1
apart."""


def aggregates(facts: Facts) -> Section:
    table = aggregate_table(facts)
    return Section(
        name="aggregates",
        title="Aggregates over tasks",
        nav="Aggregates",
        lead="The interquartile mean, the mean of the middle half of all scores over tasks and seeds, with its "
        "interval from a bootstrap that resamples seeds within each task. It decides no verdict.",
        blocks=shown(TableBlock(table), figure_block(aggregate_figure(facts))) if table else (),
        csv=(_csv(facts),),
    )


def aggregate_table(facts: Facts) -> TextTable | None:
    """Aggregates down, arms across; what is undefined is a dash, and the notes say why."""
    if not facts.aggregates:
        return None
    heads = (TextCell(""), *(TextCell(arm.label) for arm in facts.arms))
    rows = tuple(
        (TextCell(aggregate.label, _over(facts, aggregate)), *(_cell(facts, aggregate, arm.name) for arm in facts.arms))
        for aggregate in facts.aggregates
    )
    missing = [f"{aggregate.label}: {aggregate.absent}" for aggregate in facts.aggregates if aggregate.absent]
    for aggregate in facts.aggregates:
        missing += [f"{arm.label}: {arm.estimate.reason}" for arm in aggregate.arms if arm.estimate.kind == "undefined"]
    return TextTable(heads, rows, notes=tuple(f"{NOTHING} {reason}" for reason in missing))


def aggregate_figure(facts: Facts) -> Figure | None:
    """A panel per aggregate: every score of every seed, and the interquartile mean with its interval."""
    scored = [aggregate for aggregate in facts.aggregates if any(_scores(arm) for arm in aggregate.arms)]
    panels = tuple(_panel(facts, aggregate) for aggregate in scored)
    if not panels:
        return None
    return Figure(
        name="aggregates",
        title="Interquartile means over tasks",
        caption="Outlines: the mean of the middle half of an arm's scores, with its stratified bootstrap interval at "
        "the confidence that the table shows. "
        "Dots: the scores, one per task and seed, the tasks of an arm side by side; arms stand in the legend's order.",
        panels=panels,
        keys=arm_keys(facts.arms),
        columns=min(3, len(panels)),
    )


def _over(facts: Facts, aggregate: Aggregate) -> str:
    return ", ".join(facts.metric(name).title for name in aggregate.metrics)


def _cell(facts: Facts, aggregate: Aggregate, name: str) -> TextCell:
    arm = next((arm for arm in aggregate.arms if arm.arm == name), None)
    if arm is None or not isinstance(arm.estimate, Estimate):
        return TextCell(NOTHING)
    style, estimate = facts.metric(aggregate.metrics[0]).style, arm.estimate
    ends = f"{alone(style, estimate.low)} to {alone(style, estimate.high)}"
    return TextCell(alone(style, estimate.value), f"{confidence(estimate.level)} CI {ends}, {estimate.n} scores")


def _scores(arm: ArmAggregate) -> list[float]:
    return [value for values in arm.scores.values() for value in values]


def _panel(facts: Facts, aggregate: Aggregate) -> Panel:
    metric = facts.metric(aggregate.metrics[0])
    points: list[Points] = []
    for place, arm in enumerate(aggregate.arms, start=1):
        fact = facts.arm(arm.arm)
        columns = [place + APART * (column / len(arm.scores) - 0.5) for column in range(len(arm.scores) + 1)]
        for at, (name, values) in zip(columns[:-1], arm.scores.items(), strict=True):
            label = f"{fact.label}, {facts.metric(name).title}"
            points.append(Points(label, (at,) * len(values), values, color_of(fact), "circle", size=5, opacity=0.6))
        if isinstance(arm.estimate, Estimate):
            middle = arm.estimate
            name = f"{fact.label}, interquartile mean"
            mean = Points(name, (columns[-1],), (middle.value,), color_of(fact), symbol_of(fact), size=12, hollow=True)
            points.append(replace(mean, low=(middle.low,), high=(middle.high,), confidence=middle.level))
    heights = [y for mark in points for y in (*mark.y, *mark.low, *mark.high)]
    count = len(aggregate.arms)
    x = Axis("arm", 0.4, count + 0.6, ticks=tuple(float(place) for place in range(1, count + 1)))
    y = spanning(metric.unit, heights, share=metric.style == "share")
    return Panel(aggregate.label, x, y, points=tuple(mark for mark in points if mark.x))


def _csv(facts: Facts) -> CsvTable[tuple[Aggregate, ArmAggregate | None]]:
    """An arm a row, and one without an arm for an aggregate that no arm can have."""
    rows: list[tuple[Aggregate, ArmAggregate | None]] = []
    for aggregate in facts.aggregates:
        rows += [(aggregate, None)] if aggregate.absent else []
        rows += [(aggregate, arm) for arm in aggregate.arms]

    def result(row: tuple[Aggregate, ArmAggregate | None]) -> Result:
        return row[1].estimate if row[1] else Undefined(reason=row[0].absent)

    return CsvTable(
        "aggregates.csv",
        rows,
        {
            "aggregate": lambda row: row[0].name,
            "metrics": lambda row: " ".join(row[0].metrics),
            "arm": lambda row: row[1].arm if row[1] else None,
            "label": lambda row: row[1].label if row[1] else None,
            "n": lambda row: sum(map(len, row[1].scores.values())) if row[1] else None,
            "interquartile_mean": lambda row: value_or_none(result(row)),
            **interval_columns(result),
        },
    )
