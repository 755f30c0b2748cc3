"""`stacklab compare` and `stacklab diff`: two arms or runs, their results and their settings."""

from typing import TYPE_CHECKING, Annotated

import typer

from stacklab.cli.options import DEFAULT_OUT, DEFAULT_SCALE, Out, Scale, results_console

if TYPE_CHECKING:
    from rich.table import Table

    from stacklab.stats.result import Result
    from stacklab.study.results.compare import Comparison

Subject = Annotated[
    str,
    typer.Argument(
        metavar="A", help="STUDY/ARM (depth/layers-1, or a study folder's name: depth-laptop/layers-1), or a run."
    ),
]


def compare(
    a: Subject,
    b: Annotated[str, typer.Argument(metavar="B", help="The other side, named in the same way.")],
    scale: Scale = DEFAULT_SCALE,
    level: Annotated[
        float, typer.Option("--level", min=1e-6, max=0.1, help="Level of the intervals; 0.05 means 95%.")
    ] = 0.05,
    out: Out = DEFAULT_OUT,
) -> None:
    """Compare the results of two arms or runs, also across studies, in the metrics that are comparable.

    This is exploratory: only a claim stated in a study is judged.
    """
    from stacklab.study.results.compare import compare as compare_subjects
    from stacklab.study.results.references import find_subject

    left, right = (find_subject(name, scale=scale, out=out) for name in (a, b))
    comparison = compare_subjects(left, right, level=level)
    console = results_console()
    console.print(_table(comparison))
    for line in comparison.refused:
        console.print(f"not compared: {line}")
    for line in comparison.left_out:
        console.print(f"left out: {line}", soft_wrap=True)
    console.print(
        "difference: the first minus the second, "
        + (
            "paired by seed on the same batches"
            if comparison.pairing == "paired"
            else "unpaired, since seeds or batches differ"
        )
        + "; exploratory, since no claim was stated beforehand"
    )


def _table(comparison: "Comparison") -> "Table":
    from rich.table import Table

    from stacklab.report.format.numbers import alone, difference_text
    from stacklab.run.metrics import describe
    from stacklab.stats.describe import mean
    from stacklab.stats.result import Estimate

    table = Table("metric", comparison.left, comparison.right, "difference", "the first is lower")
    for row in comparison.metrics:
        style = describe(row.metric).style
        difference = row.difference
        text = difference_text(style, difference) if isinstance(difference, Estimate) else difference.reason
        means = map(mean, (row.left, row.right))
        table.add_row(row.metric, *(alone(style, mean) for mean in means), text, _share(row.superiority))
    return table


def _share(superiority: "Result") -> str:
    if superiority.kind == "undefined":
        return superiority.reason
    from stacklab.base.units import confidence

    interval = f"{confidence(superiority.level)} CI [{superiority.low:.0%}, {superiority.high:.0%}]"
    return f"{superiority.value:.0%}, {interval}"


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
