"""`stacklab coordinates`"""

from typing import TYPE_CHECKING, Annotated

import typer

from stacklab.base.text import say
from stacklab.cli.options import parse_whole_numbers, results_console
from stacklab.cli.request import with_request

if TYPE_CHECKING:
    from rich.table import Table

    from stacklab.run.coordinates import Growth, Knob, Sweep
    from stacklab.study.spec.request import StudyRequest

Widths = Annotated[str, typer.Option("--widths", help="Values of d_model to compare, two or more.")]
Depths = Annotated[
    str | None, typer.Option("--depths", help="Also compare these numbers of layers, at the study's width: 2,4,8.")
]
Steps = Annotated[int, typer.Option("--steps", min=1, help="Training steps, at the study's peak rate.")]


@with_request("seeds")
def coordinates(
    study: str, request: "StudyRequest", widths: Widths = "32,64,128,256", depths: Depths = None, steps: Steps = 5
) -> None:
    """Check whether outputs keep their size as the stack grows, with and without maximal-update parametrisation.

    Trains the study's base for a few steps at several widths (and depths) under both parametrisations, prints the power
    of the width with which each part's output grows, and draws it. The number of heads is fixed; their size grows.
    """
    from stacklab.report.pages.coordinates import write_coordinates
    from stacklab.run.paths import OutPaths
    from stacklab.study.execution.coordinates import check_coordinates
    from stacklab.study.planning.plan import study_folder
    from stacklab.study.spec.load import read_study

    sizes: dict[Knob, tuple[int, ...]] = {"d_model": parse_whole_numbers("--widths", widths)}
    if depths is not None:
        sizes["num_layers"] = parse_whole_numbers("--depths", depths)
    spec = read_study(study, scale=request.scale, overrides=request.overrides)
    seeds = request.seeds or spec.scales[request.scale].seeds
    sweeps = check_coordinates(spec, sizes, seeds=seeds, steps=steps, out=request.out, tell=_print_progress)
    folder = OutPaths(request.out).coordinates(study_folder(spec.name, request).name)
    console = results_console()
    for sweep in sweeps:
        console.print(_table(sweep))
        console.print(f"figure: {write_coordinates(folder, sweep)}", soft_wrap=True)


def _table(sweep: "Sweep") -> "Table":
    from rich.table import Table

    from stacklab.run.coordinates import KINDS, TOLERANCE, tendency

    values, seeds = (", ".join(map(str, numbers)) for numbers in (sweep.values, sweep.seeds))
    table = Table(
        title=f"Powers of {sweep.knob} ({values}) after {sweep.steps} steps, seeds {seeds}",
        caption="output: power of the mean absolute output; change: power of its mean absolute change by training; "
        f"mean over seeds ± half the 95 % t interval. flat: both means lie within ±{TOLERANCE:g}, so that settings "
        "carry over; logits are judged by their change alone",
    )
    table.add_column("part", no_wrap=True)
    for kind in KINDS:
        for heading in (f"{kind}: output", "change", "tendency"):
            table.add_column(heading, justify="left" if heading == "tendency" else "right", no_wrap=True)
    for part in sweep.parts():
        cells = []
        for kind in KINDS:
            size, change = (sweep.growth(kind, part, "size"), sweep.growth(kind, part, "change"))
            cells += [_cell(size), _cell(change), tendency(part, size, change)]
        table.add_row(part, *cells)
    return table


def _cell(growth: "Growth") -> str:
    from stacklab.stats.result import Estimate

    if growth.mean is None:
        return "undefined"
    if not isinstance(growth.interval, Estimate):
        return f"{growth.mean:+.2f}"
    return f"{growth.mean:+.2f} ± {growth.interval.high - growth.mean:.2f}"


def _print_progress(line: str) -> None:
    say(line, error=True)
