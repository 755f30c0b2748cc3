"""`stacklab diff`"""

from typing import Annotated

import typer

from stacklab.cli.options import DEFAULT_OUT, DEFAULT_SCALE, Out, Scale, results_console

Subject = Annotated[
    str,
    typer.Argument(
        metavar="A", help="STUDY/ARM (depth/layers-1, or a study folder's name: depth-laptop/layers-1), or a run."
    ),
]


def diff(
    a: Subject,
    b: Annotated[str, typer.Argument(metavar="B", help="The other side, named in the same way.")],
    scale: Scale = DEFAULT_SCALE,
    out: Out = DEFAULT_OUT,
) -> None:
    """Show every setting in which two arms or runs differ, after all defaults and rules."""
    from rich.table import Table

    from stacklab.study.planning.contrast import differences
    from stacklab.study.results.references import find_subject

    left, right = (find_subject(name, scale=scale, out=out) for name in (a, b))
    rows = differences(left.config, right.config)
    console = results_console()
    table = Table("setting", left.name, right.name)
    for row in rows:
        table.add_row(row.path, str(row.left), str(row.right))
    if rows:
        console.print(table)
    else:
        console.print("no setting differs")
    if left.data_fingerprint != right.data_fingerprint:
        console.print("their prepared data differ, so their losses are not comparable")
