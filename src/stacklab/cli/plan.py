"""`stacklab plan`"""

from typing import TYPE_CHECKING, Annotated

import typer

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
    import psutil

    from stacklab.api import load_study
    from stacklab.base.units import size
    from stacklab.stats.paired import smallest_sign_flip_p
    from stacklab.study.engines.choose import worker_count
    from stacklab.study.fit import check_fits, disk_bytes, free_disk

    chosen = load_study(study, scale=scale, overrides=overrides or (), seeds=parse_seeds(seeds), out=out).plan()
    slots = worker_count(workers, runs=len(chosen.runs()))
    seconds = _calibrated(chosen, out=out, workers=slots) if calibrate else {}
    console = results_console()
    console.print(f"[bold]{chosen.study.title}[/bold], scale {scale}: {chosen.study.question}")
    console.print(_data_line(chosen))
    console.print(_arm_table(chosen, seconds))
    console.print(_contrast_table(chosen))
    for line in chosen.not_asked:
        console.print(f"not asked: {line}")
    pairs = len(chosen.seeds)
    console.print(
        f"seeds {', '.join(map(str, chosen.seeds))}: {len(chosen.runs())} runs; the smallest two-sided p that an exact "
        f"sign-flip test on {pairs} pairs can reach is {smallest_sign_flip_p(pairs):.3g}"
    )
    console.print(_power(pairs, min((contrast.claim.level for contrast in chosen.contrasts), default=0.05)))
    disk, free = disk_bytes(chosen, workers=slots), free_disk(out)
    console.print(f"disk: {size(disk)} for weights and checkpoints, {size(free)} free")
    if seconds:
        console.print(_projection(chosen, seconds, slots))
    check_fits(chosen, workers=slots, available=psutil.virtual_memory().available, free=free)


def _calibrated(chosen: "Plan", *, out: "Out", workers: int) -> dict[str, float]:
    """Seconds per step of every arm, with the threads that a run would get."""
    from stacklab.data.prepared import load_prepared, prepared_folder
    from stacklab.run.calibrate import seconds_per_step
    from stacklab.run.paths import OutPaths
    from stacklab.study.engines.machine import cores

    data = load_prepared(prepared_folder(OutPaths(out).cache, chosen.data_fingerprint))
    threads = max(1, cores() // workers)
    return {
        arm.name: seconds_per_step(chosen.run_spec(arm, chosen.seeds[0]), data, threads=threads) for arm in chosen.arms
    }


def _data_line(chosen: "Plan") -> str:
    facts = chosen.data
    return (
        f"data: {facts['records']['kept']} records after {facts['records']['duplicates']} duplicates, "
        f"{facts['splits']['train']['tokens_per_epoch']:,} training tokens an epoch"
    )


def _arm_table(chosen: "Plan", seconds: dict[str, float]) -> "Table":
    from rich.table import Table

    from stacklab.base.units import count, duration, size

    table = Table(
        "arm", "layers", "d_model", "parameters", "non-embedding", "FLOPs/token", "memory", "a step", "matched"
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
            size(arm.memory_bytes["total"]),
            duration(seconds[arm.name]) if arm.name in seconds else "not measured",
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

    table = Table("claim", "metric", "what differs, after every default and rule")
    for contrast in chosen.contrasts:
        moved = ", ".join(f"{row.path} {row.left} -> {row.right}" for row in contrast.differences)
        table.add_row(contrast.id, contrast.claim.metric, moved or "nothing")
    return table


EFFECTS = (0.5, 1.0, 2.0, 4.0)


def _power(pairs: int, level: float) -> str:
    """What the seeds can show, for effects in standard deviations of the paired difference."""
    from stacklab.stats.power import paired_power, pairs_for_effect

    if pairs < 2:
        return "one seed has no power: no interval can be given; two seeds are the least"
    told = [
        f"{effect:g}: {paired_power(effect, pairs, level=level):.0%} ({pairs_for_effect(effect, level=level)} for 80%)"
        for effect in EFFECTS
    ]
    return (
        f"power of {pairs} pairs at level {level:.3g} to find a difference of so many standard deviations "
        "(pairs needed): " + ", ".join(told)
    )


def _projection(chosen: "Plan", seconds: dict[str, float], workers: int) -> str:
    from stacklab.base.units import duration

    work = sum(seconds[arm.name] * arm.config.train.steps * len(chosen.seeds) for arm in chosen.arms)
    return f"projected training time on {workers} workers: {duration(work / workers)} (evaluation comes on top)"
