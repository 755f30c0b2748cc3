"""`stacklab plan`"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stacklab.base.errors import SpecError
from stacklab.cli.options import results_console
from stacklab.cli.request import with_request

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from rich.table import Table
    from rich.text import Text

    from stacklab.run.timing.cost import DeviceFacts, RunCost
    from stacklab.study.planning.plan import Plan
    from stacklab.study.spec.rates import RetrySpec, TuningSpec
    from stacklab.study.spec.request import StudyRequest

Calibrate = Annotated[
    bool,
    typer.Option(
        "--calibrate/--no-calibrate",
        help="Train a few steps of every arm to measure step times, and layers of attention where arms differ in "
        "them. Arms matched by step time are measured in any case, once.",
    ),
]


@with_request(without=("looks",))
def plan(study: str, request: "StudyRequest", calibrate: Calibrate = True) -> None:
    """Show what a run would do: arms, counts, memory, measured step time, projected hours, what differs per claim.

    A plan that does not fit into memory or onto the disk is refused, with the nearest setting that does.
    """
    from rich.text import Text

    from stacklab.api import requested_study
    from stacklab.base.units import size
    from stacklab.cli.plan_tables import arm_table, contrast_table, data_warnings, match_table, memory_table
    from stacklab.study.planning.device import device_facts
    from stacklab.study.planning.fit import disk_bytes, free_disk
    from stacklab.study.planning.project import calibrate as calibrate_arms
    from stacklab.study.planning.stages import count_runs
    from stacklab.study.results.tuning import with_tuned
    from stacklab.study.spec.request import requested_engine

    planned, out = requested_study(study, request).plan(), request.out
    slots = requested_engine(request, planned.study.base.train).slots(count_runs(planned))
    disk, free = disk_bytes(planned, workers=slots), free_disk(out)
    facts = device_facts(planned, out)
    misfit = _misfit(planned, request, facts, slots)
    # Measuring takes the memory of a run, so a plan that does not fit is not measured.
    costs = calibrate_arms(planned, out, workers=slots) if calibrate and not misfit else {}
    chosen = with_tuned(planned, out)
    attention = _attention(chosen, costs, out, slots)
    console = results_console()
    console.print(Text(chosen.study.title, style="bold"), f", scale {chosen.scale}: {chosen.study.question}", sep="")
    console.print(_data_line(chosen))
    for warning in data_warnings(chosen):
        console.print(warning)
    for line in _start_lines(chosen):
        console.print(line)
    first = (arm_table(chosen, costs, facts), attention, match_table(chosen), memory_table(chosen, costs))
    for table in (*first, contrast_table(chosen)):
        if table is not None:
            console.print(table)
    for line in chosen.not_asked:
        console.print(f"claim left out: {line}")
    for line in _run_lines(planned):
        console.print(line)
    for family_line in _family_lines(chosen):
        console.print(family_line)
    for power in _powers(chosen):
        console.print(power)
    console.print(f"disk: {size(disk)} for weights and checkpoints, {size(free)} free")
    if costs:
        console.print(_time_line(planned, costs, slots))
    if misfit:
        raise misfit


def _time_line(chosen: "Plan", costs: dict[str, "RunCost"], workers: int) -> str:
    from stacklab.base.units import duration
    from stacklab.study.planning.project import projected_seconds, retry_seconds

    line = (
        f"projected time of the study on {workers} workers, evaluation included: "
        f"{duration(projected_seconds(chosen, costs, workers=workers))}{_sooner(chosen)}"
    )
    if chosen.gpus_per_run > 1:
        line += f", without the sums of gradients over the {chosen.gpus_per_run} GPUs of a run"
    if more := retry_seconds(chosen, costs, workers=workers):
        line += f"; {duration(more)} more if every stack failed at its first learning rate"
    return line


def _sooner(chosen: "Plan") -> str:
    """What would shorten the projected time, which is that of whole runs in processes of their own."""
    from stacklab.run.stacking import why_alone
    from stacklab.study.engines.machine import trains_on_card

    specs = [spec for _, _, spec in chosen.runs()]
    stops = " at most, since runs stop once solved" if any(spec.train.stop for spec in specs) else ""
    together = sum(why_alone(spec, on_card=trains_on_card(spec.train.device)) is None for spec in specs)
    shared = f"; {together} of {len(specs)} runs can be trained together (--engine replicas)" if together else ""
    return stops + shared


def _attention(chosen: "Plan", costs: dict[str, "RunCost"], out: Path, workers: int) -> "Table | None":
    """The time of attention; None if arms do not differ in it, or if steps are not measured."""
    from stacklab.cli.plan_tables import attention_table
    from stacklab.study.engines.machine import threads_each
    from stacklab.study.planning.attention_cost import attention_costs, attention_differs

    if not costs or not attention_differs(arm.config for arm in chosen.arms):
        return None
    attention = attention_costs({arm.name: arm for arm in chosen.arms}, out, threads=threads_each(workers))
    return attention_table(chosen, attention, costs)


def _misfit(chosen: "Plan", request: "StudyRequest", facts: dict[str, "DeviceFacts"], workers: int) -> SpecError | None:
    """The error of a plan that does not fit on this machine: raised only after the plan is printed."""
    from stacklab.study.planning.device import check_room

    try:
        check_room(chosen, request, facts, workers=workers)
    except SpecError as error:
        return error
    return None


def _data_line(chosen: "Plan") -> str:
    facts = chosen.data
    if "task" in facts:
        own = "" if len({arm.data_fingerprint for arm in chosen.arms}) == 1 else " and the arms' own"
        return f"data: the task {facts['source']['name']}{own}, {_training(facts)}"
    return (
        f"data: {facts['records']['kept']} records after {facts['records']['duplicates']} duplicates, "
        f"{facts['splits']['train']['tokens_per_epoch']:,} training tokens an epoch"
    )


def _start_lines(chosen: "Plan") -> list[str]:
    """The models from whose weights arms start."""
    arms: dict[tuple[str, str], list[str]] = {}
    for arm in chosen.arms:
        if (weights := arm.config.model.start_from) is not None:
            change = chosen.study.arms[arm.origin or arm.name].change
            source = str(change.get("model.start_from", chosen.study.base.model.start_from))
            arms.setdefault((source, weights), []).append(arm.name)
    return [f"starts from {source} ({weights}): {', '.join(names)}" for (source, weights), names in arms.items()]


def _training(facts: "Mapping[str, Any]") -> str:
    """What a task's runs train on."""
    if "splits" not in facts:
        return "fresh sequences at every step"
    seen = facts["validation_seen_in_training"]
    again = f"; {seen:.1%} of the validation sequences are among them" if seen else ""
    return f"{facts['splits']['train']['sequences']:,} fixed sequences{again}"


def _run_lines(chosen: "Plan") -> list[str]:
    lines = [f"seeds {', '.join(map(str, chosen.seeds))}: {len(chosen.runs())} runs"]
    if chosen.tuning is not None:
        lines.append(_grid_line(chosen, chosen.tuning))
    if chosen.retry is not None:
        lines.append(_retry_line(chosen, chosen.retry))
    return lines


def _grid_line(chosen: "Plan", grid: "TuningSpec") -> str:
    from stacklab.study.planning.tuning import tuning_plan

    decays = f" x weight decays {', '.join(map(_number, grid.weight_decays))}" if grid.weight_decays else ""
    return (
        f"tuning: learning rates {', '.join(map(_number, grid.learning_rates))}{decays} on seeds "
        f"{', '.join(map(str, grid.seeds))}: {len(tuning_plan(chosen).runs())} runs before the others; every claim is "
        "then also stated with each arm at its own best"
    )


def _retry_line(chosen: "Plan", retry: "RetrySpec") -> str:
    from stacklab.study.planning.retry import most_retries

    rates, most = ", ".join(map(_number, retry.learning_rates)), len(most_retries(chosen).runs())
    return (
        f"retry: a stack that fails is also trained at {rates}, with the same seeds, before it counts as failing: at "
        f"most {most} more runs"
    )


def _family_lines(chosen: "Plan") -> "list[Text]":
    """The family that shares one error level, and what its seeds cannot show."""
    from rich.text import Text

    from stacklab.cli.plan_tables import family_text, never_shown

    if not chosen.contrasts:
        return []
    return [Text(family_text(chosen)), *(Text(line, style="yellow") for line in never_shown(chosen))]


def _powers(chosen: "Plan") -> "list[Table | str]":
    """The power of the seeds for each kind of comparison, at the strictest level and power of its claims, alone and in
    the family of confirmatory ones."""
    from stacklab.cli.plan_tables import family_of, power_table

    seeds = len(chosen.seeds)
    if seeds < 2:
        return ["one seed has neither interval nor power; at least two seeds are needed"] if chosen.contrasts else []
    family, tables = family_of(chosen), []
    for pairing in dict.fromkeys(contrast.pairing for contrast in chosen.contrasts):
        own = [contrast for contrast in chosen.contrasts if contrast.pairing == pairing]
        level, power = min(one.claim.level for one in own), max(one.claim.power for one in own)
        members = len(family) if any(one in family for one in own) else 0
        tables.append(power_table(pairing, seeds, level=level, power=power, family=members))
    return [*tables]


def _number(value: float) -> str:
    return f"{value:g}"
