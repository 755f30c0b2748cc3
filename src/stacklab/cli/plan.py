"""`stacklab plan`"""

from typing import TYPE_CHECKING, Annotated

import typer

from stacklab.base.errors import SpecError
from stacklab.cli.options import (
    DEFAULT_OUT,
    DEFAULT_SCALE,
    Out,
    Overrides,
    Scale,
    Seeds,
    StudyName,
    parse_seeds,
    results_console,
)
from stacklab.cli.run import Workers

if TYPE_CHECKING:
    from rich.table import Table

    from stacklab.run.cost import RunCost
    from stacklab.stats.comparison import Pairing
    from stacklab.study.plan import ArmPlan, Plan

Calibrate = Annotated[
    bool, typer.Option("--calibrate/--no-calibrate", help="Train a few steps of every arm to measure a step's time.")
]


def plan(
    study: StudyName,
    overrides: Overrides = None,
    scale: Scale = DEFAULT_SCALE,
    seeds: Seeds = None,
    workers: Workers = None,
    out: Out = DEFAULT_OUT,
    calibrate: Calibrate = True,
) -> None:
    """Show what a run would do: arms, counts, memory, measured step time, projected hours, what differs per claim."""
    from stacklab.api import load_study
    from stacklab.base.units import duration, size
    from stacklab.study.engines.choose import worker_count
    from stacklab.study.fit import disk_bytes, free_disk
    from stacklab.study.project import calibrate as calibrate_arms
    from stacklab.study.project import projected_seconds

    chosen = load_study(study, scale=scale, overrides=overrides or (), seeds=parse_seeds(seeds), out=out).plan()
    slots = worker_count(workers, runs=len(chosen.runs()))
    disk, free = disk_bytes(chosen, workers=slots), free_disk(out)
    misfit = _misfit(chosen, slots, free)
    # Measuring takes what a run takes, so what does not fit is not measured either.
    costs = calibrate_arms(chosen, out, workers=slots) if calibrate and not misfit else {}
    console = results_console()
    console.print(f"[bold]{chosen.study.title}[/bold], scale {scale}: {chosen.study.question}")
    console.print(_data_line(chosen))
    console.print(_arm_table(chosen, costs))
    console.print(_contrast_table(chosen))
    for line in chosen.not_asked:
        console.print(f"not asked: {line}")
    number = len(chosen.seeds)
    console.print(f"seeds {', '.join(map(str, chosen.seeds))}: {len(chosen.runs())} runs")
    level = min((contrast.claim.level for contrast in chosen.contrasts), default=0.05)
    for pairing in dict.fromkeys(contrast.pairing for contrast in chosen.contrasts):
        console.print(_power(pairing, number, level))
    console.print(f"disk: {size(disk)} for weights and checkpoints, {size(free)} free")
    if costs:
        projected = projected_seconds(chosen, costs, workers=slots)
        console.print(f"projected time of the study on {slots} workers, evaluation included: {duration(projected)}")
    if misfit:
        raise misfit


def _misfit(chosen: "Plan", workers: int, free: int) -> SpecError | None:
    """Why the plan does not fit on this machine: raised only after the plan was shown."""
    import psutil

    from stacklab.study.fit import check_fits

    try:
        check_fits(chosen, workers=workers, available=psutil.virtual_memory().available, free=free)
    except SpecError as error:
        return error
    return None


def _data_line(chosen: "Plan") -> str:
    facts = chosen.data
    return (
        f"data: {facts['records']['kept']} records after {facts['records']['duplicates']} duplicates, "
        f"{facts['splits']['train']['tokens_per_epoch']:,} training tokens an epoch"
    )


def _arm_table(chosen: "Plan", costs: "dict[str, RunCost]") -> "Table":
    from rich.table import Table

    from stacklab.base.units import count, duration, size
    from stacklab.study.fit import PROCESS_BYTES

    table = Table(
        "arm",
        "layers",
        "d_model",
        "parameters",
        "non-embedding",
        "FLOPs/token",
        "memory",
        "measured",
        "a step",
        "matched",
    )
    for arm in chosen.arms:
        model = arm.config.model
        table.add_row(
            arm.label,
            str(model.num_layers),
            str(model.d_model),
            f"{arm.total_parameters:,}",
            count(arm.non_embedding_parameters),
            count(arm.flops_per_token),
            size(arm.memory_bytes["total"] + PROCESS_BYTES),
            size(costs[arm.name].peak_bytes) if arm.name in costs else "not measured",
            duration(costs[arm.name].step) if arm.name in costs else "not measured",
            _matched(arm),
        )
    return table


def _matched(arm: "ArmPlan") -> str:
    if arm.match is None:
        return ""
    found = arm.match
    return f"{found.quantity} of {found.to}: {found.knob} = {found.value} ({found.residual:+.2%})"


def _contrast_table(chosen: "Plan") -> "Table":
    from rich.table import Table

    table = Table("claim", "metric", "judged", "what differs, after every default and rule")
    for contrast in chosen.contrasts:
        moved = ", ".join(f"{row.path} {row.left} -> {row.right}" for row in contrast.differences)
        table.add_row(contrast.id, contrast.claim.metric, contrast.pairing, moved or "nothing")
    return table


EFFECTS = (0.5, 1.0, 2.0, 4.0)
UNITS = {"paired": "the paired difference", "unpaired": "a run"}


def _power(pairing: "Pairing", seeds: int, level: float) -> str:
    """What the seeds can show, for effects in the unit of the comparison."""
    from stacklab.stats.comparison import COMPARISONS
    from stacklab.stats.needed import seeds_for_effect
    from stacklab.stats.power import difference_power

    if seeds < 2:
        return "one seed has no power: no interval can be given; two seeds are the least"
    by = COMPARISONS[pairing]
    told = [
        f"{effect:g}: {difference_power(effect, by.design(seeds), level=level):.0%} "
        f"({seeds_for_effect(by, effect, level=level)} for 80%)"
        for effect in EFFECTS
    ]
    smallest = by.smallest_p(seeds)
    return (
        f"{pairing}: the smallest two-sided p that an exact permutation test on {seeds} seeds can reach is "
        f"{smallest:.3g}; power at level {level:.3g} to find a difference of so many standard deviations of "
        f"{UNITS[pairing]} (seeds needed): " + ", ".join(told)
    )
