"""The forest plot as one picture, for Markdown."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from stacklab.report.drawing.matplotlib import style
from stacklab.report.format.numbers import tick
from stacklab.report.format.verdicts import MARKS
from stacklab.report.sections.claims.forest_plot import ForestGroup

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

ROW, AROUND = 0.34, 0.85
"""Heights in inches: of a comparison, and of what surrounds those of one claim."""


def draw_forest(groups: Sequence[ForestGroup]) -> "Drawing":
    """One number line per claim, one row per comparison. `groups` must not be empty."""
    from matplotlib.figure import Figure as Drawing

    heights = [ROW * len(group.rows) for group in groups]
    total = sum(heights) + AROUND * len(groups)
    with style():
        drawing = Drawing(figsize=(10, total))
        top = total
        for group, height in zip(groups, heights, strict=True):
            bottom = top - 0.35 - height
            axes = drawing.add_axes((0.34, bottom / total, 0.5, height / total))
            _group(axes, group)
            top -= AROUND + height
    return drawing


def _group(axes: "Axes", group: ForestGroup) -> None:
    axes.set(xlim=(group.low, group.high), ylim=(-0.6, len(group.rows) - 0.4))
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.spines["left"].set_visible(False)
    axes.set_title(f"{group.metric.title}: difference", fontweight="bold")
    axes.set_yticks(range(len(group.rows)), [row.name for row in group.rows])
    axes.tick_params(axis="y", length=0)
    axes.set_xticks(list(group.ticks), [tick(group.metric.style, value) for value in group.ticks])
    axes.axvline(0, color="#333333", lw=1)
    if group.margin is not None:
        axes.axvspan(-group.margin, group.margin, color="#009E73", alpha=0.12, lw=0)
    for place, row in enumerate(group.rows):
        mark = MARKS[row.contrast.verdict]
        if row.t:
            axes.plot(row.t, (place, place), color=mark.color, lw=2, solid_capstyle="butt")
        if row.bootstrap:
            axes.plot(row.bootstrap, (place, place), color=mark.color, lw=6, alpha=0.3, solid_capstyle="butt")
        axes.plot([dot.place for dot in row.dots], [place] * len(row.dots), "o", ms=3.5, color="#222222", alpha=0.8)
        axes.annotate(
            f"{mark.glyph} {row.contrast.verdict}",
            (1.02, place),
            xycoords=("axes fraction", "data"),
            va="center",
            color=mark.color,
            fontweight="bold",
        )
