"""Figures as PNG and SVG by matplotlib. The same figure gives the same bytes: no date, no random ids."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from stacklab.base.files import write_bytes
from stacklab.report.drawing.figure import Axis, Figure, Key, LabelSide, Line, Panel, Points

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

MARKERS: Mapping[str, str] = {
    "circle": "o",
    "square": "s",
    "diamond": "D",
    "triangle-up": "^",
    "cross": "P",
    "x": "X",
    "triangle-down": "v",
}
DASHES = {"solid": "-", "dash": "--"}
LABEL_PLACES: Mapping[LabelSide, tuple[tuple[int, int], str, str]] = {
    "above": ((0, 5), "center", "bottom"),
    "below": ((0, -5), "center", "top"),
    "left": ((-6, 0), "right", "center"),
    "right": ((6, 0), "left", "center"),
    "centre": ((0, 0), "center", "center"),
    "above left": ((-6, 5), "right", "bottom"),
    "above right": ((6, 5), "left", "bottom"),
    "below left": ((-6, -5), "right", "top"),
    "below right": ((6, -5), "left", "top"),
}
"""Offset in points, horizontal and vertical alignment."""
GREY = "#555555"
KINDS: tuple[Literal["png", "svg"], ...] = ("png", "svg")
DPI = 120
LARGE = 1e4
"""From here on ticks are written as 10k, 2M."""
METADATA: Mapping[str, dict[str, Any]] = {"svg": {"Date": None, "Creator": "stacklab"}, "png": {"Software": "stacklab"}}


def render(drawing: "Drawing", kind: Literal["png", "svg"]) -> bytes:
    buffer = BytesIO()
    with style():
        drawing.savefig(buffer, format=kind, dpi=DPI, metadata=METADATA[kind])
    return buffer.getvalue()


def save(drawing: "Drawing", folder: Path, name: str) -> None:
    """name.png and name.svg in the folder, each written whole or not at all. Raises DiskError."""
    for kind in KINDS:
        write_bytes(folder / f"{name}.{kind}", render(drawing, kind))


@contextmanager
def style() -> Iterator[None]:
    """Settings for building and saving alike; a glyph that the font lacks is drawn as a box, without a warning."""
    import matplotlib as mpl

    settings: dict[Any, Any] = {
        "svg.hashsalt": "stacklab",
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": "#888888",
        "axes.grid": True,
        "grid.color": "#e6e6e6",
        "grid.linewidth": 0.6,
        "axes.axisbelow": True,
        "axes.titlesize": 10,
        "axes.titlelocation": "left",
        # A fixed height spares the search for a free one, a fifth of the time.
        "axes.titley": 1.02,
        "text.parse_math": False,
    }
    with mpl.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def draw(figure: Figure) -> "Drawing":
    """The panels in rows of `columns`, with a legend below."""
    from matplotlib.figure import Figure as Drawing

    columns = min(figure.columns, len(figure.panels))
    rows = -(-len(figure.panels) // columns)
    keys_across = 2 if columns == 1 else 4
    below = 0.3 + 0.22 * -(-len(figure.keys) // keys_across)
    height = 2.7 * rows + below
    with style():
        drawing = Drawing(figsize=(3.7 * columns + 0.55, height))
        grid = drawing.subplots(rows, columns, squeeze=False)
        for index, axes in enumerate(grid.flat):
            if index < len(figure.panels):
                _panel(axes, figure.panels[index])
            else:
                axes.set_visible(False)
        drawing.legend(
            handles=[_handle(key) for key in figure.keys], loc="lower center", ncols=keys_across, frameon=False
        )
        left = 0.8 / drawing.get_figwidth()
        bottom, top = (below + 0.5) / height, 1 - 0.3 / height
        drawing.subplots_adjust(left=left, right=0.985, bottom=bottom, top=top, wspace=0.34, hspace=0.5)
    return drawing


def _panel(axes: "Axes", panel: Panel) -> None:
    axes.set_title(panel.title, fontweight="bold", color="#222222")
    _axis(axes, panel.x, "x")
    _axis(axes, panel.y, "y")
    for band in panel.bands:
        axes.fill_between(band.x, band.low, band.high, color=band.color, alpha=0.16, linewidth=0)
    for line in panel.lines:
        _line(axes, line)
    for mark in panel.points:
        face = "none" if mark.hollow else mark.color
        if mark.low:
            below = [at - low for low, at in zip(mark.low, mark.y, strict=True)]
            above = [high - at for high, at in zip(mark.high, mark.y, strict=True)]
            axes.errorbar(mark.x, mark.y, [below, above], fmt="none", ecolor=mark.color, elinewidth=1, capsize=2.5)
        axes.plot(
            mark.x, mark.y, MARKERS[mark.symbol], color=mark.color, mfc=face, ms=mark.size * 0.7, alpha=mark.opacity
        )
        _labels(axes, mark)
    for line in panel.over:
        _line(axes, line)


def _line(axes: "Axes", line: Line) -> None:
    marker = MARKERS[line.symbol] if line.symbol else None
    axes.plot(
        line.x, line.y, DASHES[line.dash], color=line.color, lw=line.width, alpha=line.opacity, marker=marker, ms=3
    )


def _labels(axes: "Axes", mark: Points) -> None:
    offset, across, along = LABEL_PLACES[mark.label_side]
    for label, x, y in zip(mark.labels, mark.x, mark.y, strict=False):
        place: dict[str, Any] = {"xytext": offset, "textcoords": "offset points", "ha": across, "va": along}
        axes.annotate(label, (x, y), fontsize=6, color=mark.label_color or mark.color, **place)


def _axis(axes: "Axes", axis: Axis, which: Literal["x", "y"]) -> None:
    from matplotlib.ticker import EngFormatter, NullLocator, PercentFormatter, StrMethodFormatter

    side = axes.xaxis if which == "x" else axes.yaxis
    title = axis.title if which == "x" else axis.height_title
    axes.set(**{f"{which}label": title, f"{which}scale": "log" if axis.log else "linear"})
    axes.set(**{f"{which}lim": (axis.low, axis.high)})
    if axis.ticks:
        side.set_ticks(list(axis.ticks), list(axis.labels) or None)
        side.set_minor_locator(NullLocator())
    if axis.labels:
        return  # any formatter would number the places instead
    if axis.share:
        side.set_major_formatter(PercentFormatter(1, decimals=0))
    elif axis.high >= LARGE:
        side.set_major_formatter(EngFormatter(sep=""))
    else:
        side.set_major_formatter(StrMethodFormatter("{x:g}"))


def _handle(key: Key) -> Any:
    from matplotlib.lines import Line2D

    color = key.color or GREY
    label = key.label
    if key.mark == "ring":
        return Line2D([], [], ls="", marker="o", mfc="none", color=color, label=label)
    if key.mark in ("frame", "swatch"):
        face = "none" if key.mark == "frame" else color
        return Line2D([], [], ls="", marker="s", ms=7, mfc=face, color=color, label=label)
    if key.mark == "ended":
        return Line2D([], [], ls="", marker="X", color=color, label=label)
    if key.mark in MARKERS:
        return Line2D([], [], ls="-", lw=1.5, marker=MARKERS[key.mark], ms=5, color=color, label=label)
    faint = key.mark == "faint"
    dashes = DASHES["solid" if faint else key.mark]
    return Line2D([], [], ls=dashes, lw=0.8 if faint else 1.4, alpha=0.35 if faint else 1, color=color, label=label)
