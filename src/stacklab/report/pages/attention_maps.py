"""Attention maps as text, PNG, SVG and CSV."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stacklab.base.files import write_text
from stacklab.interp.spec import AttentionPanel
from stacklab.report.drawing.matplotlib import save, style
from stacklab.report.format.table import csv_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

CELL = 0.17
"""Inches of a cell."""
LEVELS = ".123456789#"
KEY = "tenths of the attention of a row: . below 0.05, # from 0.95; blank: hidden or below 0.005"


def panel_text(panel: AttentionPanel) -> str:
    """A map in characters, a row a line; columns are numbered, and named by the rows where these are positions.

    >>> panel = AttentionPanel(title="t", rows=("a", "b"), columns=("a", "b"), shares=((1.0, 0.0), (0.52, 0.48)))
    >>> print(panel_text(panel))
    t
      0 a #
      1 b 5 5
    """
    wide = max(len(name) for name in panel.rows)
    lines = [panel.title]
    if panel.rows != panel.columns:
        cell = max(len(name) for name in panel.columns)
        lines.append(" " * (wide + 5) + " ".join(name.rjust(cell) for name in panel.columns))
    else:
        cell = 1
    for number, (name, shares) in enumerate(zip(panel.rows, panel.shares, strict=True)):
        marks = " ".join(_mark(share).rjust(cell) for share in shares)
        lines.append(f"{number:>3} {name:>{wide}} {marks}".rstrip())
    return "\n".join(lines)


def _mark(share: float) -> str:
    return " " if share < 0.005 else LEVELS[int(share * 10 + 0.5)]


def panels_csv(panels: Sequence[AttentionPanel]) -> str:
    """A cell of a map a row."""
    heads = ("map", "row", "row_name", "column", "column_name", "attention")
    rows = (
        (panel.title, row, name, column, column_name, f"{share:.6g}")
        for panel in panels
        for row, (name, shares) in enumerate(zip(panel.rows, panel.shares, strict=True))
        for column, (column_name, share) in enumerate(zip(panel.columns, shares, strict=True))
    )
    return csv_text(heads, rows)


def write_panels(panels: Sequence[AttentionPanel], folder: Path, *, columns: int = 3) -> None:
    """attention.png, .svg and .csv in a folder."""
    save(draw_panels(panels, columns=columns), folder, "attention")
    write_text(folder / "attention.csv", panels_csv(panels))


def draw_panels(panels: Sequence[AttentionPanel], *, columns: int) -> "Drawing":
    """The maps in rows of `columns`, dark where attention is."""
    from matplotlib.figure import Figure as Drawing

    across = min(columns, len(panels))
    down = -(-len(panels) // across)
    width = max(len(panel.columns) for panel in panels) * CELL + 0.9
    height = max(len(panel.rows) for panel in panels) * CELL + 0.9
    with style():
        drawing = Drawing(figsize=(max(width, 2.6) * across, height * down), layout="constrained")
        for index, axes in enumerate(drawing.subplots(down, across, squeeze=False).flat):
            if index < len(panels):
                _draw(axes, panels[index])
            else:
                axes.set_visible(False)
    return drawing


def _draw(axes: "Axes", panel: AttentionPanel) -> None:
    axes.imshow(panel.shares, cmap="Blues", vmin=0, vmax=1, aspect="equal", interpolation="nearest")
    axes.set_title(panel.title, fontsize=8)
    axes.set_xticks(range(len(panel.columns)), panel.columns, rotation=90, fontsize=6)
    axes.set_yticks(range(len(panel.rows)), panel.rows, fontsize=6)
    axes.tick_params(length=0)
    axes.grid(False)
