"""`stacklab status`"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stacklab.cli.options import DEFAULT_OUT, Out, results_console

if TYPE_CHECKING:
    from rich.console import Console

    from stacklab.study.results.tuning import ArmTuning


def status(
    folder: Annotated[
        str | None, typer.Argument(metavar="[STUDY]", help="Part of a study folder's name; by default all are shown.")
    ] = None,
    out: Out = DEFAULT_OUT,
) -> None:
    """Show the progress of every run of the studies in the output folder."""
    from stacklab.base.errors import DataError, UserError
    from stacklab.study.results.results import study_folders

    folders = study_folders(out)
    chosen = [path for path in folders if folder is None or folder in path.name]
    if not chosen:
        names = ", ".join(path.name for path in folders) or "none yet; `stacklab run depth` makes one"
        raise DataError(f"{out / 'studies'}: no study matches {folder or 'anything'}; there are: {names}")
    console = results_console()
    for path in chosen:
        try:
            _print_study(console, path, out)
        except (UserError, OSError) as error:
            console.print(f"{path.name}: damaged: {error}", soft_wrap=True)


def _print_study(console: "Console", path: Path, out: Path) -> None:
    """Raises DataError for a folder without a plan of this version."""
    from rich.table import Table

    from stacklab.study.planning.plan import load_plan
    from stacklab.study.planning.stages import TUNING
    from stacklab.study.results.collect import UNUSABLE, collect
    from stacklab.study.results.stages import NEEDED
    from stacklab.study.results.tuning import read_tuning

    plan = load_plan(path)
    # Tuning runs are summarised in one line per arm.
    stages = [needed(plan, out) for stage, needed in NEEDED.items() if stage is not TUNING]
    steps = {arm.name: arm.config.train.steps for stage in stages for arm in stage.arms}
    rows = [row for stage in stages for row in collect(stage, out)]
    done = sum(row.status in ("finished", "diverged") for row in rows)
    table = Table("arm", "seed", "state", "step", "run", title=f"{path.name}: {done} of {len(rows)} runs done")
    for row in rows:
        state = row.status + (f" ({row.reason})" if row.reason else "")
        table.add_row(row.arm, str(row.seed), state, f"{row.step}/{steps[row.arm]}", row.run_id)
    console.print(table)
    if any(row.status in UNUSABLE for row in rows):
        console.print("delete the folders in runs/ that are damaged or altered, and `stacklab run` trains them again")
    for tuning in read_tuning(plan, out):
        console.print(_grid_line(tuning))


def _grid_line(tuning: "ArmTuning") -> str:
    """'layers-1: 4 of 6 runs of its grid done'"""
    done = sum(len(point.losses) + point.diverged for point in tuning.points)
    total = done + sum(point.missing for point in tuning.points)
    line = f"{tuning.arm}: {done} of {total} runs of its grid done"
    if tuning.chosen is None:
        return f"{line}; no choice: {tuning.reason}"
    return f"{line}; best learning rate {tuning.chosen.learning_rate:g}, weight decay {tuning.chosen.weight_decay:g}"
