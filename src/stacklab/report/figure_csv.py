"""The data of a figure as CSV: what is drawn, a point a row."""

import csv
from collections.abc import Iterator
from io import StringIO

from stacklab.report.plot import Figure, Panel

HEADS = ("panel", "series", "drawn_as", "x", "y", "low", "high")
Row = tuple[str, str, str, float, float | None, float | None, float | None]


def figure_csv(figure: Figure) -> str:
    """Lines and points with their intervals, bands with their two edges. Undrawn values are empty cells."""
    buffer = StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(HEADS)
    for panel in figure.panels:
        writer.writerows(_rows(panel))
    return buffer.getvalue()


def _rows(panel: Panel) -> Iterator[Row]:
    for line in panel.lines:
        for x, y in zip(line.x, line.y, strict=True):
            yield (panel.title, line.name, "line", x, y, None, None)
    for mark in panel.points:
        lows, highs = (ends or (None,) * len(mark.x) for ends in (mark.low, mark.high))
        for x, y, low, high in zip(mark.x, mark.y, lows, highs, strict=True):
            yield (panel.title, mark.name, "points", x, y, low, high)
    for band in panel.bands:
        for x, low, high in zip(band.x, band.low, band.high, strict=True):
            yield (panel.title, "", "band", x, None, low, high)
