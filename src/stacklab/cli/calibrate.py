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
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the simulation's random streams.")] = 0,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Also write the rates to this JSON file.")] = None,
) -> None:
    """How often verdicts err and find what is there, on planted effects and planted nulls with noise between seeds.

    Runs the rule that judges studies, on arms paired by seed and on unpaired ones. Effects and margins are in standard
    deviations of a paired difference, or of a run. Takes seconds. A rate marked ! lies above the level by more than
    three standard errors of the simulation.
    """
    from stacklab.base.files import write_json
    from stacklab.cli.options import results_console
    from stacklab.stats.calibration.simulate import calibrate as simulate

    found = simulate(repeats=repeats, seed=seed)
    if out is not None:
        write_json(out, found.dump())
    console = results_console()
    console.print(_verdicts(found, found.cells, "paired by seed"))
    console.print(_verdicts(found, found.unpaired, "unpaired"))
    console.print(_looks(found))


def _verdicts(found: "Calibration", cells: "Sequence[Cell]", how: str) -> "Table":
    from rich.table import Table

    title = f"Verdicts {how} at level {found.level:g}: {found.repeats:,} studies a row ({found.bca_repeats:,} for BCa)"
    caption = (
        "false lower, false higher: supported without an effect, for a claim of that direction; "
        f"false equal: equivalent within ±{found.margin:g} sd though the difference is as large; "
        "covers: of the interval that decides; equal: equivalent without a difference; "
        "!: above the level by more than three standard errors"
    )
    table = Table(title=title, caption=caption)
    table.add_column("noise", no_wrap=True)
    powers = [f"power {effect:g} sd" for effect in found.effects]
    for heading in ("seeds", "false lower", "false higher", "covers", "BCa covers", *powers, "false equal", "equal"):
        table.add_column(heading, justify="right")
    last = ""
    for cell in cells:
        if last and cell.noise != last:
            table.add_section()
        table.add_row(
            cell.noise if cell.noise != last else "",
            str(cell.seeds),
            _error(cell.false_lower, found),
            _error(cell.false_higher, found),
            f"{cell.covered:.3f}",
            f"{cell.covered_bca:.3f}",
            *(f"{power:.2f}" for power in cell.power),
            _error(cell.false_equivalent, found),
            f"{cell.power_equivalent:.2f}",
        )
        last = cell.noise
    return table


def _looks(found: "Calibration") -> "Table":
    from rich.table import Table

    sizes = ", ".join(str(size) for size in found.look_sizes)
    caption = (
        "false: a clear verdict without an effect; chosen: two looks, the second after one seed more where the first "
        f"was close, else at {max(found.look_sizes)}; power: of the split level, at {found.effects[0]:g} sd"
    )
    table = Table(title=f"Looks at {sizes} seeds, stopping at the first clear verdict", caption=caption)
    table.add_column("noise", no_wrap=True)
    for heading in ("false, split level", "false, full level each", "false, split and chosen", "power"):
        table.add_column(heading, justify="right")
    for row in found.looks:
        rates = (row.false, row.false_naive, row.false_chosen)
        table.add_row(row.noise, *(_error(rate, found) for rate in rates), f"{row.power:.2f}")
    return table


def _error(rate: float, found: "Calibration") -> str:
    from stacklab.stats.calibration.simulate import above

    return f"{rate:.3f}" + (" !" if above(rate, found.level, found.repeats) else "")
