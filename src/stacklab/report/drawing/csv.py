"""The data of a figure as CSV: what is drawn, a point a row."""

from collections.abc import Iterator

from stacklab.report.drawing.figure import Axis, Figure, Panel
from stacklab.report.format.table import csv_text

HEADS = ("panel", "series", "drawn_as", "x", "y", "low", "high", "confidence")
Value = float | str | None
DrawnRow = tuple[str, str, str, Value, Value, float | None, float | None, float | None]


def figure_csv(figure: Figure) -> str:
    """Lines and points with their intervals, bands with their two edges. Values that are not drawn are empty cells."""
    return csv_text(HEADS, (row for panel in figure.panels for row in _rows(panel)))


def _rows(panel: Panel) -> Iterator[DrawnRow]:
    for line in (*panel.lines, *panel.over):
        for x, y in zip(line.x, line.y, strict=True):
            yield (panel.title, line.name, "line", _named(panel.x, x), _named(panel.y, y), None, None, None)
    for mark in panel.points:
        lows, highs = (ends or (None,) * len(mark.x) for ends in (mark.low, mark.high))
        for x, y, low, high in zip(mark.x, mark.y, lows, highs, strict=True):
            place = _named(panel.x, x), _named(panel.y, y)
            yield (panel.title, mark.name, "points", *place, low, high, mark.confidence)
    for band in panel.bands:
        for x, low, high in zip(band.x, band.low, band.high, strict=True):
            yield (panel.title, "", "band", x, None, low, high, band.confidence)


def _named(axis: Axis, value: float) -> Value:
    """The label of the nearest tick on an axis with named places; on other axes the value itself."""
    if not axis.labels:
        return value
    _, name = min(zip(axis.ticks, axis.labels, strict=True), key=lambda one: abs(one[0] - value))
    return name
