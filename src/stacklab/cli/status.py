"""`stacklab status`"""

from typing import Annotated

import typer

from stacklab.cli.options import DEFAULT_OUT, Out, results_console


def status(
    folder: Annotated[
        str | None, typer.Argument(metavar="[STUDY]", help="Part of a study folder's name; without it, all are shown.")
    ] = None,
    out: Out = DEFAULT_OUT,
) -> None:
    """Show how far every run of the studies in the output folder has come."""
    from rich.table import Table

    from stacklab.base.errors import DataError
    from stacklab.study.collect import collect
    from stacklab.study.plan import load_plan

    folders = [path.parent for path in sorted((out / "studies").glob("*/plan.json"))]
    chosen = [path for path in folders if folder is None or folder in path.name]
    if not chosen:
        names = ", ".join(path.name for path in folders) or "none yet; `stacklab run depth` makes one"
        raise DataError(f"{out / 'studies'}: no study matches {folder or 'anything'}; there are: {names}")
    console = results_console()
    for path in chosen:
        plan = load_plan(path)
        rows = collect(plan, out)
        done = sum(row.status in ("finished", "diverged") for row in rows)
        table = Table("arm", "seed", "state", "step", "run", title=f"{path.name}: {done} of {len(rows)} runs done")
        for row in rows:
            steps = plan.arm(row.arm).config.train.steps
            state = row.status + (f" ({row.reason})" if row.reason else "")
            table.add_row(row.arm, str(row.seed), state, f"{row.step}/{steps}", row.run_id)
        console.print(table)
