"""Final losses against size, computation and time, and accuracy against the number of hops."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from stacklab.base.units import confidence
from stacklab.report.drawing.figure import Axis, Figure, Line, Panel, Points, arm_keys, spanning, spanning_counts
from stacklab.report.facts.arms import ArmFact
from stacklab.report.facts.build import Facts
from stacklab.report.facts.estimates import Measure
from stacklab.report.format.palette import color_of, symbol_of
from stacklab.report.sections.section import Section, single_figure
from stacklab.run.metrics import describe, hops_of
from stacklab.stats.result import Estimate

LOSSES = (("train probe", "train_probe.loss"), ("validation", "validation.loss"))


class Place(NamedTuple):
    """A measure of an arm with its costs: one per value."""

    arm: ArmFact
    measure: Measure
    costs: tuple[float, ...]


def costs(facts: Facts) -> Section | None:
    return single_figure(cost_figure(facts), nav="Loss and cost")


def accuracy(facts: Facts) -> Section | None:
    return single_figure(accuracy_figure(facts))


def cost_figure(facts: Facts) -> Figure | None:
    """Final losses against size, computation and time: a dot per seed, a large marker per arm."""
    panels = []
    for name, metric in LOSSES:
        measured = [(arm, measure) for arm in facts.arms if (measure := arm.measure(metric)) is not None]
        for title, unit, of in COSTS:
            places = [Place(arm, measure, of(facts, arm, measure)) for arm, measure in measured]
            if places := [place for place in places if place.costs]:
                panels.append(_cost_panel(f"{name} by {title}", f"{title}{unit}", metric, places))
    if not panels:
        return None
    return Figure(
        name="costs",
        title="Loss against size, computation and time",
        caption="Final losses. Dots: one seed each. Outlines: the mean of an arm, with its "
        f"{confidence(facts.level)} t interval if there is one.",
        panels=tuple(panels),
        keys=arm_keys(facts.arms),
    )


def accuracy_figure(facts: Facts) -> Figure | None:
    """Exact answers by number of hops, per arm."""
    hops = sorted({h for arm in facts.arms for measure in arm.measures if (h := hops_of(measure.metric)) is not None})
    if not hops:
        return None
    lines, points = [], []
    for index, arm in enumerate(facts.arms):
        rows = [(h, measure) for h in hops if (measure := arm.measure(f"accuracy.hops_{h}")) is not None]
        if rows:
            # Arms stand side by side, so that their intervals do not hide one another.
            x = tuple(h + 0.04 * (index - (len(facts.arms) - 1) / 2) for h, _ in rows)
            y = tuple(_mean(measure) for _, measure in rows)
            low, high = zip(*(_ends(measure) for _, measure in rows), strict=True)
            lines.append(Line(arm.label, x, y, color_of(arm), width=1.2, opacity=0.7))
            mark = Points(arm.label, x, y, color_of(arm), symbol_of(arm), size=8, low=low, high=high)
            points.append(replace(mark, confidence=facts.level))
    highest = max(value for mark in points for value in (*mark.y, *mark.high))
    x_axis = Axis("reasoning hops", min(hops) - 0.4, max(hops) + 0.4, ticks=tuple(map(float, hops)))
    y_axis = Axis("exact answers", -0.02, min(1.02, highest + 0.05), share=True)
    return Figure(
        name="accuracy",
        title="Accuracy by hops",
        caption="Share of held-out problems whose greedy answer is exactly right: mean over seeds with the "
        f"{confidence(facts.level)} t interval.",
        panels=(Panel("held-out problems solved", x_axis, y_axis, (), tuple(lines), tuple(points)),),
        keys=arm_keys(facts.arms),
        columns=1,
    )


def _parameters(facts: Facts, arm: ArmFact, measure: Measure) -> tuple[float, ...]:
    return (float(arm.total_parameters),) * len(measure.values)


def _flops(facts: Facts, arm: ArmFact, measure: Measure) -> tuple[float, ...]:
    return (float(arm.train_flops),) * len(measure.values)


def _seconds(facts: Facts, arm: ArmFact, measure: Measure) -> tuple[float, ...]:
    """Seconds of training of the seeds of a measure; empty when one of them has none."""
    by_seed = {run.seed: run.timing.get("train_seconds") for run in facts.runs_of(arm.name)}
    known = tuple(value for seed in measure.seeds if (value := by_seed.get(seed)) is not None)
    return known if len(known) == len(measure.values) else ()


COSTS: tuple[tuple[str, str, Callable[[Facts, ArmFact, Measure], tuple[float, ...]]], ...] = (
    ("total parameters", "", _parameters),
    ("training FLOPs", "", _flops),
    ("training time", " (s)", _seconds),
)


def _cost_panel(title: str, x_title: str, metric: str, places: Sequence[Place]) -> Panel:
    points = []
    for arm, measure, at in places:
        low, high = _ends(measure)
        centre = sum(at) / len(at)
        mean = Points(
            f"{arm.label}, mean", (centre,), (_mean(measure),), color_of(arm), symbol_of(arm), size=12, hollow=True
        )
        level = measure.estimate.level if isinstance(measure.estimate, Estimate) else None
        points.append(replace(mean, low=(low,), high=(high,), confidence=level))
        points.append(Points(arm.label, at, measure.values, color_of(arm), "circle", size=5, opacity=0.8))
    heights = [y for mark in points for y in (*mark.y, *mark.low, *mark.high)]
    x = spanning_counts(x_title, [cost for place in places for cost in place.costs])
    return Panel(title, x, spanning(describe(metric).unit, heights), points=tuple(points))


def _mean(measure: Measure) -> float:
    assert measure.mean is not None, "a measure of an arm has a value"
    return measure.mean


def _ends(measure: Measure) -> tuple[float, float]:
    """The interval; without one, the mean twice."""
    if isinstance(measure.estimate, Estimate):
        return measure.estimate.low, measure.estimate.high
    return _mean(measure), _mean(measure)
