"""A study's trend as a figure: a metric, times and the measured cost of attention against total heads, by series."""

from collections.abc import Sequence
from dataclasses import replace

from stacklab.base.units import confidence
from stacklab.report.drawing.figure import Axis, Band, Figure, Key, LabelSide, Line, Panel, Points
from stacklab.report.drawing.label_layout import placed
from stacklab.report.facts.build import Facts
from stacklab.report.format.palette import color, symbol
from stacklab.run.metrics import describe
from stacklab.stats.fits.decay import Decay
from stacklab.stats.result import Estimate
from stacklab.study.results.trend import Trend, TrendPoint

TITLES = {"total_heads": "total heads"}
TIMES = ("train_seconds", "median_step_seconds")
SIDES: tuple[LabelSide, ...] = ("right", "above", "below", "left")
"""Sides of the labels by series, where there is room: arms of several series often stand at one place."""
HUES = (0, 4, 2, 3, 5, 1, 6)
"""Places in the palette, neighbours far apart: series cross each other."""
UNITS = ((7200.0, 3600.0, "h"), (1.0, 1.0, "s"), (0.0, 1e-3, "ms"))
"""Seconds from which on a unit is used, its seconds, and its name."""
ACROSS, ALONG = 0.25, 0.15
"""Room at both ends of an axis, as a share of its span: labels stand beside the outermost points."""


def trend_figure(facts: Facts) -> Figure | None:
    """The metric with its fits, then the times of finished runs, then the time of attention alone."""
    trend = facts.trend
    if trend is None:
        return None
    panels = (_fitted(facts, trend), *(_timed(facts, trend, metric) for metric in TIMES), _attention(facts, trend))
    shown = tuple(panel for panel in panels if panel is not None)
    if not shown:
        return None
    return Figure(
        name="trend",
        title=f"{describe(trend.metric).title} and time against {TITLES[trend.against]}",
        caption="Dots: one seed each. Outlines: the mean of an arm with its "
        f"{confidence(facts.level)} t interval, labelled with the heads of its layers, bottom first. Curves: "
        "exponential fits through all dots of a series with the 95% confidence band, which treats runs of one seed as "
        "independent, where a fit is possible; a band may leave the panel, its edges are in the CSV. Attention: all "
        "layers of a training step, forward and backward, each measured alone.",
        panels=shown,
        keys=tuple(Key(series.name, _hue(i), symbol(i)) for i, series in enumerate(trend.series)),
        columns=2,
    )


def _fitted(facts: Facts, trend: Trend) -> Panel | None:
    points = _marks(facts, trend, trend.metric)
    lines, bands = [], []
    for place, series in enumerate(trend.series):
        if isinstance(series.fit, Decay):
            x, y, low, high = zip(*((at.x, at.value, at.low, at.high) for at in series.fit.curve), strict=True)
            lines.append(Line(f"{series.name}, fit", x, y, _hue(place)))
            bands.append(Band(x, low, high, _hue(place), confidence=series.fit.level))
    metric = describe(trend.metric)
    return _panel(trend, metric.title, metric.unit, points, lines=lines, bands=bands)


def _timed(facts: Facts, trend: Trend, metric: str) -> Panel | None:
    return _times(trend, describe(metric).title, [replace(mark, labels=()) for mark in _marks(facts, trend, metric)])


def _attention(facts: Facts, trend: Trend) -> Panel | None:
    points = [
        replace(_outline(_name(facts, point), point, place), y=(sum(point.attention_seconds),))
        for place, series in enumerate(trend.series)
        for point in series.points
        if point.attention_seconds
    ]
    return _times(trend, "Attention of a step, alone", points)


def _marks(facts: Facts, trend: Trend, metric: str) -> list[Points]:
    """The seeds and the mean of every arm that has the metric; the mean labelled with the arm's schedule."""
    marks = []
    for place, series in enumerate(trend.series):
        for point in series.points:
            measure = facts.arm(point.arm).measure(metric)
            if measure is None or measure.mean is None:
                continue
            name, at = _name(facts, point), (point.x,) * len(measure.values)
            marks.append(Points(name, at, measure.values, _hue(place), "circle", size=5, opacity=0.8))
            mean = replace(_outline(f"{name}, mean", point, place), y=(measure.mean,), labels=(point.schedule,))
            if isinstance(measure.estimate, Estimate):
                low, high = (measure.estimate.low,), (measure.estimate.high,)
                mean = replace(mean, confidence=measure.estimate.level, low=low, high=high)
            marks.append(mean)
    return marks


def _outline(name: str, point: TrendPoint, place: int) -> Points:
    """The mark of an arm, whose height is not known yet."""
    side = SIDES[place % len(SIDES)]
    return Points(name, (point.x,), (), _hue(place), symbol(place), size=10, hollow=True, label_side=side)


def _hue(place: int) -> str:
    return color(HUES[place % len(HUES)])


def _times(trend: Trend, title: str, points: Sequence[Points]) -> Panel | None:
    """Seconds in the unit that suits them, which the title names."""
    if not points:
        return None
    longest = max(y for mark in points for y in mark.y)
    _, unit, name = next(row for row in UNITS if longest >= row[0])

    def scaled(values: tuple[float, ...]) -> tuple[float, ...]:
        return tuple(value / unit for value in values)

    shown = [replace(mark, y=scaled(mark.y), low=scaled(mark.low), high=scaled(mark.high)) for mark in points]
    return _panel(trend, f"{title} ({name})", name, shown)


def _name(facts: Facts, point: TrendPoint) -> str:
    return f"{facts.arm(point.arm).label} ({point.schedule})"


def _panel(
    trend: Trend,
    title: str,
    unit: str,
    points: Sequence[Points],
    *,
    lines: Sequence[Line] = (),
    bands: Sequence[Band] = (),
) -> Panel | None:
    """None without a point. Bands may run out of it."""
    if not points:
        return None
    drawn: list[Points | Line] = [*points, *lines]
    places = [x for mark in drawn for x in mark.x]
    heights = [y for mark in drawn for y in mark.y] + [end for mark in points for end in (*mark.low, *mark.high)]
    x, y = _roomy(TITLES[trend.against], places, ACROSS), _roomy(unit, heights, ALONG)
    return Panel(title, x, y, bands=tuple(bands), lines=tuple(lines), points=tuple(placed(points, x, y)))


def _roomy(title: str, values: Sequence[float], share: float) -> Axis:
    low, high = min(values), max(values)
    room = share * (high - low) or 0.05 * abs(high) or 0.5
    return Axis(title, low - room, high + room)
