"""`stacklab calibrate`"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table as Printed

    from stacklab.stats.calibration.table import Table


def calibrate(
    repeats: Annotated[
        int, typer.Option("--repeats", min=100, max=200_000, help="Simulated studies per row.")
    ] = 10_000,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the simulation.")] = 0,
    slow: Annotated[
        bool, typer.Option("--all", help="Also the remedies for skewed noise and the interquartile mean.")
    ] = False,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Also write the rates to this JSON file.")] = None,
) -> None:
    """Measure error rates and power of verdicts on simulated studies, with and without a true effect.

    Applies the rule that judges studies to losses and accuracies, paired and unpaired, to families of claims and to
    repeated looks. Effects and margins of losses are in standard deviations of a paired difference, or of a run. Takes
    under a minute. A rate marked ! is above what it should be by more than three standard errors of the simulation.
    """
    from stacklab.base.files import write_json
    from stacklab.base.folders import check_output
    from stacklab.cli.options import results_console
    from stacklab.stats.calibration.simulate import calibrate as simulate

    if out is not None:
        check_output(out, [])
    rates = simulate(repeats=repeats, seed=seed, slow=slow)
    if out is not None:
        write_json(out, rates.dump())
    console = results_console()
    for table in rates.tables:
        console.print(_printed(table))


def _printed(table: "Table") -> "Printed":
    from rich.table import Table as Printed

    printed = Printed(title=table.title, caption=table.caption)
    for key in table.keys:
        printed.add_column(key)
    for column in table.columns:
        printed.add_column(column.heading, justify="right")
    last = ""
    for row in table.rows:
        first, *others = row.keys
        if others and last and first != last:
            printed.add_section()
        printed.add_row(first if first != last else "", *others, *table.texts(row))
        last = first
    return printed
