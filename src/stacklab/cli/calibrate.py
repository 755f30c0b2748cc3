"""`stacklab calibrate`"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from stacklab.stats.calibration.simulate import Calibration, Cell


def calibrate(
    repeats: Annotated[
        int, typer.Option("--repeats", min=100, max=200_000, help="Simulated studies per noise and number of seeds.")
    ] = 10_000,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the simulation.")] = 0,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Also write the rates to this JSON file.")] = None,
) -> None:
    """Measure error rates and power of verdicts on simulated studies, with and without a true effect.

    Applies the rule that judges studies to paired and unpaired arms. Effects and margins are in standard deviations of
    a paired difference, or of a run. Takes seconds. A rate marked ! is above the level by more than three
    standard errors of the simulation.
    """
    from stacklab.base.files import write_json
    from stacklab.cli.options import results_console
    from stacklab.stats.calibration.simulate import calibrate as simulate

    rates = simulate(repeats=repeats, seed=seed)
    if out is not None:
        write_json(out, rates.dump())
    console = results_console()
    console.print(_verdicts(rates, rates.cells, "paired by seed"))
    console.print(_verdicts(rates, rates.unpaired, "unpaired"))
    console.print(_looks(rates))


def _verdicts(rates: "Calibration", cells: "Sequence[Cell]", how: str) -> "Table":
    from rich.table import Table

    title = f"Verdicts {how} at level {rates.level:g}: {rates.repeats:,} studies a row ({rates.bca_repeats:,} for BCa)"
    caption = (
        "false lower, false higher: supported without an effect, for a claim of that direction; "
        f"false equal: equivalent within ±{rates.margin:g} sd though the difference is that large; "
        "covers: coverage of the deciding interval; equal: equivalent without a difference; "
        "!: above the level by more than three standard errors"
    )
    table = Table(title=title, caption=caption)
    table.add_column("noise", no_wrap=True)
    powers = [f"power {effect:g} sd" for effect in rates.effects]
    for heading in ("seeds", "false lower", "false higher", "covers", "BCa covers", *powers, "false equal", "equal"):
        table.add_column(heading, justify="right")
    last = ""
    for cell in cells:
        if last and cell.noise != last:
            table.add_section()
        table.add_row(
            cell.noise if cell.noise != last else "",
            str(cell.seeds),
            _error(cell.false_lower, rates),
            _error(cell.false_higher, rates),
            f"{cell.covered:.3f}",
            f"{cell.covered_bca:.3f}",
            *(f"{power:.2f}" for power in cell.power),
            _error(cell.false_equivalent, rates),
            f"{cell.power_equivalent:.2f}",
        )
        last = cell.noise
    return table


def _looks(rates: "Calibration") -> "Table":
    from rich.table import Table

    sizes = ", ".join(str(size) for size in rates.look_sizes)
    caption = (
        "false: a clear verdict without an effect; chosen: two looks, the second after one seed more where the first "
        f"was close, else at {max(rates.look_sizes)}; power: at the split level, for {rates.effects[0]:g} sd"
    )
    table = Table(title=f"Looks at {sizes} seeds, stopping at the first clear verdict", caption=caption)
    table.add_column("noise", no_wrap=True)
    for heading in ("false, split level", "false, full level each", "false, split and chosen", "power"):
        table.add_column(heading, justify="right")
    for row in rates.looks:
        columns = (row.false, row.false_naive, row.false_chosen)
        table.add_row(row.noise, *(_error(rate, rates) for rate in columns), f"{row.power:.2f}")
    return table


def _error(rate: float, rates: "Calibration") -> str:
    from stacklab.stats.calibration.simulate import above

    return f"{rate:.3f}" + (" !" if above(rate, rates.level, rates.repeats) else "")
