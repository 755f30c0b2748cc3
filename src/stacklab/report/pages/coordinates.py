"""The picture of a coordinate check: the size of every part's output against the size of the stack."""

from pathlib import Path

from stacklab.base.files import write_text
from stacklab.report.drawing.csv import figure_csv
from stacklab.report.drawing.figure import Axis, Figure, Key, Line, Panel, spanning
from stacklab.report.drawing.matplotlib import draw, save
from stacklab.report.format.palette import color
from stacklab.report.format.table import csv_text
from stacklab.run.coordinates import KINDS, Kind, Measured, Reading, Sweep, without_blocks

TITLES = {"d_model": "width", "num_layers": "depth"}
MOST_STEPS = 5
"""Steps that are drawn, evenly spread, the first and the last among them."""
CHANGE = "#000000"


def write_coordinates(folder: Path, sweep: Sweep) -> Path:
    """The figure as PNG, SVG and CSV, and all readings as CSV; returns the PNG. Raises DiskError."""
    figure = coordinate_figure(sweep)
    save(draw(figure), folder, figure.name)
    write_text(folder / f"{figure.name}.csv", figure_csv(figure))
    heads = ("parametrisation", sweep.knob, *Reading._fields[2:])
    write_text(folder / f"{figure.name}-readings.csv", csv_text(heads, sweep.readings))
    return folder / f"{figure.name}.png"


def coordinate_figure(sweep: Sweep) -> Figure:
    """A row of panels per parametrisation, a panel per part: a line per step, and what training changed."""
    steps = _drawn_steps(sweep.steps)
    parts = without_blocks(sweep.parts())
    step_keys = [Key(_when(step), color(index), "solid") for index, step in enumerate(steps)]
    return Figure(
        name=TITLES[sweep.knob],
        title=f"Sizes of outputs against {TITLES[sweep.knob]}",
        caption="Mean absolute value of each part's output, mean over seeds, under both parametrisations. Dashes: of "
        "what training changed in it, after the last step. Level lines mean that the settings carry over.",
        panels=tuple(_panel(sweep, kind, part, steps) for kind in KINDS for part in parts),
        keys=(*step_keys, Key("change by training", CHANGE, "dash")),
        columns=len(parts),
    )


def _panel(sweep: Sweep, kind: Kind, part: str, steps: tuple[int, ...]) -> Panel:
    lines = [_line(sweep, kind, part, step, "size", color(index)) for index, step in enumerate(steps)]
    lines.append(_line(sweep, kind, part, sweep.steps, "change", CHANGE))
    # Both parametrisations of a part share their axis, or level and steep lines would look alike.
    both = [value for other in KINDS for step in steps for value in _means(sweep, other, part, step, "size")]
    both += [value for other in KINDS for value in _means(sweep, other, part, sweep.steps, "change")]
    shown = [value for value in both if 0 < value < float("inf")] or [1.0]
    x = Axis(sweep.knob, sweep.values[0] / 1.15, sweep.values[-1] * 1.15, log=True, ticks=_floats(sweep.values))
    return Panel(f"{part}, {kind}", x, spanning("mean |output|", shown, log=True), lines=tuple(lines))


def _line(sweep: Sweep, kind: Kind, part: str, step: int, measured: Measured, shade: str) -> Line:
    changed = measured == "change"
    name = f"change {_when(step)}" if changed else _when(step)
    y = _means(sweep, kind, part, step, measured)
    return Line(name, _floats(sweep.values), y, shade, dash="dash" if changed else "solid", symbol="circle")


def _means(sweep: Sweep, kind: Kind, part: str, step: int, measured: Measured) -> tuple[float, ...]:
    rows = [sweep.series(kind, part, step, measured, seed) for seed in sweep.seeds]
    return tuple(sum(column) / len(column) for column in zip(*rows, strict=True))


def _drawn_steps(last: int) -> tuple[int, ...]:
    count = min(MOST_STEPS, last) + 1
    return tuple(sorted({round(index * last / (count - 1)) for index in range(count)}))


def _when(step: int) -> str:
    return "at the start" if step == 0 else f"after step {step}"


def _floats(values: tuple[int, ...]) -> tuple[float, ...]:
    return tuple(map(float, values))
