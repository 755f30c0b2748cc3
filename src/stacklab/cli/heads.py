"""`stacklab heads`"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stacklab.cli.options import DEFAULT_OUT, DEFAULT_SCALE, Checkpoint, Out, Scale, results_console

if TYPE_CHECKING:
    from rich.table import Table

    from stacklab.interp.spec import HeadReport, RoleRow
    from stacklab.run.paths import RunPaths
    from stacklab.stats.result import Result

EVERY_HEAD = 16
"""Layers with up to this many heads get one written map per head."""


def heads(
    subject: Annotated[
        str,
        typer.Argument(
            metavar="STUDY/ARM", help="An arm of a study on a synthetic task, as in `stacklab diff`, or a run."
        ),
    ],
    scale: Scale = DEFAULT_SCALE,
    sequences: Annotated[int, typer.Option("--sequences", "-n", min=1, help="Number of fresh sequences.")] = 256,
    level: Annotated[
        float, typer.Option("--level", min=1e-6, max=0.1, help="Level of the intervals; 0.05 means 95%.")
    ] = 0.05,
    maps: Annotated[
        Path | None,
        typer.Option("--maps", help="Also write the scores, and attention maps of the first seed, to this folder."),
    ] = None,
    checkpoint: Checkpoint = "last",
    out: Out = DEFAULT_OUT,
) -> None:
    """Score what the heads of trained models do, beside untrained ones and the model built by hand for the task."""
    from stacklab.base.errors import DataError
    from stacklab.interp.spec import ROLES
    from stacklab.run.heads import arm_heads
    from stacklab.run.paths import OutPaths
    from stacklab.study.results.compare import unusable
    from stacklab.study.results.references import find_subject

    arm = find_subject(subject, scale=scale, out=out)
    runs = [OutPaths(arm.out).run(row.run_id) for row in arm.rows if row.status == "finished"]
    left_out = unusable(arm)
    if left_out and not runs:
        raise DataError(left_out[0])
    report = arm_heads(runs, sequences=sequences, level=level, checkpoint=checkpoint)
    console = results_console()
    console.print(_table(report))
    for role, meaning in ROLES.items():
        console.print(f"{role}: {report.absent.get(role, meaning)}")
    waiting = len(arm.rows) - len(runs) - len(left_out)
    seeds = ", ".join(str(one.seed) for one in report.seeds)
    console.print(
        f"{report.task}, {report.sequences} fresh sequences of split {report.split}; seeds {seeds}"
        + (f"; {waiting} runs have not finished and are left out" if waiting else ""),
    )
    for line in left_out:
        console.print(f"left out: {line}", soft_wrap=True)
    if checkpoint == "best":
        steps = ", ".join(f"{max(run.bests):,}" for run in runs)
        console.print(f"best checkpoints, after these steps: {steps}")
    if maps is not None:
        _write(maps, report, runs[0], checkpoint)
        console.print(f"written: {maps}", soft_wrap=True)


def _table(report: "HeadReport") -> "Table":
    from rich.table import Table

    table = Table("layer", "role", "best head", "untrained", "all heads", "untrained", "built by hand", "where")
    untrained = {(row.layer, row.role): row for row in report.untrained}
    for row in report.trained:
        other = untrained[row.layer, row.role]
        best = (_with_interval(one.best, one.best_value) for one in (row, other))
        mean = (_with_interval(one.mean, one.mean_value) for one in (row, other))
        table.add_row(str(row.layer + 1), row.role, *best, *mean, _built(report, row), row.where)
    return table


def _built(report: "HeadReport", row: "RoleRow") -> str:
    scores = [f"{score.value:.2f} (layer {score.layer + 1})" for score in report.constructed if score.role == row.role]
    return scores[0] if scores else "–"


def _with_interval(result: "Result", value: float) -> str:
    if result.kind == "undefined":
        return f"{value:.2f}, interval undefined ({result.reason})"
    from stacklab.base.units import confidence

    return f"{value:.2f}, {confidence(result.level)} CI [{result.low:.2f}, {result.high:.2f}]"


def _write(folder: Path, report: "HeadReport", run: "RunPaths", checkpoint: Checkpoint) -> None:
    """heads.json, and the maps of one sequence in the first seed's model and in the constructed one."""
    from stacklab.base.files import write_json
    from stacklab.interp.attention_maps import attention_panels
    from stacklab.interp.construct.compile import compiled
    from stacklab.report.pages.attention_maps import write_panels
    from stacklab.run.heads import construction, fresh, one_task, trained_model
    from stacklab.run.store import read_spec

    write_json(folder / "heads.json", report.dump())
    spec = read_spec(run)
    task = one_task([spec])
    tokens_T = fresh(task, 1).tokens_BT[0]
    titles = [f"layer {number + 1}" for number in range(spec.model.num_layers)]
    panels = attention_panels(trained_model(run, checkpoint), tokens_T, task.names, titles=titles, few=EVERY_HEAD)
    write_panels(panels, folder / "trained", columns=4)
    if (plan := construction(task)) is not None:
        titles = [f"layer {number}, {layer.operation}" for number, layer in enumerate(plan.layers, start=1)]
        write_panels(attention_panels(compiled(plan), tokens_T, task.names, titles=titles), folder / "constructed")
