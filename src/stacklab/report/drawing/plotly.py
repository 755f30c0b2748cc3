"""A panel as a plotly figure, checked by plotly.py, drawn in the page by the bundle of the same version.

Colours of text and grid are left to the page, which knows whether it is light or dark.
"""

import html
import math
from collections.abc import Mapping
from typing import Any

from stacklab.base.text import visible
from stacklab.report.drawing.figure import Axis, Band, LabelSide, Line, Panel, Points

CONFIG: dict[str, Any] = {
    "showSendToCloud": False,
    "plotlyServerURL": "",
    "displaylogo": False,
    "responsive": True,
}
"""Without the first two, plotly offers to upload the chart."""

TEXT_POSITIONS: Mapping[LabelSide, str] = {
    "above": "top center",
    "below": "bottom center",
    "left": "middle left",
    "right": "middle right",
    "centre": "middle center",
    "above left": "top left",
    "above right": "top right",
    "below left": "bottom left",
    "below right": "bottom right",
}
DIGITS = 5
LARGE = 1e4
"""From here on ticks are written as 10k, 2M."""


def plotly_panel(panel: Panel, *, height: int = 280) -> dict[str, Any]:
    """{data, layout, config} of one panel. Its title stands above it in the page."""
    import plotly.graph_objects as go

    bands = [trace for band in panel.bands for trace in _band(band)]
    traces = [
        *bands,
        *(_line(line, panel.y) for line in panel.lines),
        *(_points(mark, panel.y) for mark in panel.points),
        *(_line(line, panel.y) for line in panel.over),
    ]
    layout = {
        "xaxis": _axis(panel.x, panel.x.title),
        "yaxis": _axis(panel.y, panel.y.height_title),
        "height": height,
        "margin": {"l": 70, "r": 14, "t": 26, "b": 44},
        "showlegend": False,
        "hovermode": "closest",
        "modebar": {"remove": ["select2d", "lasso2d", "zoomIn2d", "zoomOut2d", "autoScale2d"]},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
    }
    figure = go.Figure(data=traces, layout={**layout, "template": None}).to_plotly_json()
    return {"data": figure["data"], "layout": figure["layout"], "config": CONFIG}


def _line(line: Line, y: Axis) -> dict[str, Any]:
    trace: dict[str, Any] = {
        "type": "scatter",
        "mode": "lines+markers" if line.symbol else "lines",
        "name": _text(line.name),
        "x": _numbers(line.x),
        "y": _numbers(line.y),
        "line": {"color": line.color, "width": line.width, "dash": line.dash},
        "opacity": line.opacity,
        "hovertemplate": _hover(y),
    }
    if line.symbol:
        trace["marker"] = {"symbol": line.symbol, "size": 5}
    return trace


def _band(band: Band) -> list[dict[str, Any]]:
    common = {"type": "scatter", "mode": "lines", "x": _numbers(band.x), "line": {"width": 0}, "hoverinfo": "skip"}
    fill = {"fill": "tonexty", "fillcolor": _transparent(band.color, 0.16)}
    return [common | {"y": _numbers(band.low)}, common | {"y": _numbers(band.high)} | fill]


def _points(mark: Points, y: Axis) -> dict[str, Any]:
    trace: dict[str, Any] = {
        "type": "scatter",
        "mode": "markers",
        "name": _text(mark.name),
        "x": _numbers(mark.x),
        "y": _numbers(mark.y),
        "opacity": mark.opacity,
        "marker": {
            "color": mark.color,
            "symbol": f"{mark.symbol}-open" if mark.hollow else mark.symbol,
            "size": mark.size,
            "line": {"width": 2 if mark.hollow else 0, "color": mark.color},
        },
        "hovertemplate": _hover(y),
    }
    if mark.labels:
        trace |= {
            "mode": "markers+text",
            "text": [_text(label) for label in mark.labels],
            "textposition": TEXT_POSITIONS[mark.label_side],
            "textfont": {"size": 9, "color": mark.label_color or mark.color},
        }
    if mark.low:
        trace["error_y"] = {
            "type": "data",
            "symmetric": False,
            "array": _numbers(tuple(high - at for high, at in zip(mark.high, mark.y, strict=True))),
            "arrayminus": _numbers(tuple(at - low for low, at in zip(mark.low, mark.y, strict=True))),
            "color": mark.color,
            "thickness": 1.2,
            "width": 4,
        }
    return trace


def _axis(axis: Axis, title: str) -> dict[str, Any]:
    shown: dict[str, Any] = {"title": {"text": _text(title).replace("\n", "<br>"), "font": {"size": 12}, "standoff": 6}}
    shown |= {"zeroline": False, "ticks": "outside", "ticklen": 4, "tickfont": {"size": 11}, "nticks": 6}
    if axis.log:
        shown |= {"type": "log", "range": [math.log10(axis.low), math.log10(axis.high)]}
    else:
        shown |= {"range": [axis.low, axis.high]}
    if axis.ticks:
        shown |= {"tickmode": "array", "tickvals": list(axis.ticks)}
        if axis.labels:
            shown["ticktext"] = [_text(label) for label in axis.labels]
    return shown | {"tickformat": ".0%" if axis.share else "~s" if axis.high >= LARGE else "~g"}


def _hover(y: Axis) -> str:
    value = "%{y:.1%}" if y.share else "%{y:.4f}"
    return f"%{{x:.6~g}}: {value}<extra>%{{fullData.name}}</extra>"


def _numbers(values: tuple[float, ...]) -> list[float]:
    """Rounded to what a screen can show; the CSV files hold all digits."""
    return [float(f"{value:.{DIGITS}g}") for value in values]


def _transparent(color: str, opacity: float) -> str:
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


def _text(text: str) -> str:
    """Plotly reads a subset of HTML in every text."""
    return html.escape(visible(text), quote=False)
