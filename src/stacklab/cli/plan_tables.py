"""The tables of `stacklab plan`."""

from collections.abc import Iterator, Mapping

from rich.table import Table
from rich.text import Text

from stacklab.base.search import smallest
from stacklab.base.units import count, duration
from stacklab.model.count import visible_flops_per_token
from stacklab.run.timing.cost import DeviceFacts, RunCost
from stacklab.stats.comparison import COMPARISONS, Pairing
from stacklab.stats.needed import MOST_SEEDS, detectable_effect, seeds_for_effect
from stacklab.stats.power import difference_power
from stacklab.study.planning.attention_cost import AttentionCosts, differ_in_attention_alone
from stacklab.study.planning.device import utilisation
from stacklab.study.planning.fit import PROCESS_BYTES
from stacklab.study.planning.plan import Contrast, Plan
from stacklab.study.spec.claim import ClaimSpec, confirmatory


def data_warnings(plan: Plan) -> Iterator[Text]:
    """What of the data weakens conclusions, a line each."""
    yield from (Text(f"data: {line}", style="yellow") for line in plan.data_warnings)


def arm_table(plan: Plan, costs: Mapping[str, RunCost], facts: Mapping[str, DeviceFacts]) -> Table:
    """The size of each arm and the time of its training step; on a card of known rate, also what share of it (MFU).

    With windows or patterns in some arm, also the FLOPs that a kernel needs which skips all hidden pairs.
    """
    table = Table("arm", "layers", "d_model")
    for heading in ("parameters", "non-embedding", "FLOPs/token", "step time"):
        table.add_column(heading, justify="right", no_wrap=True)
    steps = {arm.name: costs.get(arm.origin or arm.name) for arm in plan.arms}
    shares = {
        arm.name: utilisation(arm, facts[arm.origin or arm.name], step_seconds=cost.step, cards=plan.gpus_per_run)
        for arm in plan.arms
        if (cost := steps[arm.name]) is not None and facts
    }
    if any(share is not None for share in shares.values()):
        table.add_column("MFU", justify="right", no_wrap=True)
    hides = any(layer.window or layer.attention_pattern for arm in plan.arms for layer in arm.config.model.layers)
    if hides:
        table.add_column("visible pairs", justify="right")
        table.caption = "visible pairs: FLOPs/token if attention computed only the pairs of query and key that are seen"
    for arm in plan.arms:
        model, cost, share = arm.config.model, steps[arm.name], shares.get(arm.name)
        visible = visible_flops_per_token(model, context=arm.config.data.block_size) if hides else 0
        table.add_row(
            arm.label,
            str(model.num_layers),
            str(model.d_model),
            f"{arm.total_parameters:,}",
            f"{arm.non_embedding_parameters:,}",
            count(arm.flops_per_token),
            "not measured" if cost is None else duration(cost.step),
            *([] if share is None else [f"{share:.0%}"]),
            *([count(visible)] if hides else []),
        )
    return table


def match_table(plan: Plan) -> Table | None:
    """The solved controls, compared with their targets by every convention; None without any."""
    table = Table("control", "equals", "knob", "residual", title="matched controls")
    for heading in ("parameters", "non-embedding", "FLOPs/token"):
        table.add_column(heading, justify="right")
    measured = []
    for arm in plan.arms:
        match = arm.match
        if match is None:
            continue
        others = (
            match.others.get(name) for name in ("total_parameters", "non_embedding_parameters", "flops_per_token")
        )
        table.add_row(
            arm.label,
            f"{match.quantity} of {match.to}",
            f"{match.knob} = {match.value}",
            f"{match.residual:+.2%}",
            *("" if other is None else f"{other:+.2%}" for other in others),
        )
        if match.times is not None:
            measured.append(f"{arm.label}: {match.times.text()}")
    table.caption = "\n".join(measured) or None
    return table if table.row_count else None


def memory_table(plan: Plan, costs: Mapping[str, RunCost]) -> Table:
    """The peak memory of one run of each arm, estimated by parts, and the measured peak of its process."""
    table = Table(
        "arm",
        title="memory of one run in MiB, estimated by parts",
        caption="scores: the scores, probabilities, mask and gradient that attention holds at a time, in pieces; "
        "B x heads x T²: all scores of one layer",
    )
    headings = ("weights, gradients", "optimizer", "activations", "scores", "B x heads x T²", "loss chunk")
    for heading in (*headings, "process", "sum", "measured"):
        table.add_column(heading, justify="right")
    for arm in plan.arms:
        held = arm.memory_bytes
        parts = (
            held["weights"] + held["gradients"],
            *(held[name] for name in ("optimizer", "activations", "scores", "all_scores", "loss_chunk")),
            PROCESS_BYTES,
            held["total"] + PROCESS_BYTES,
        )
        measured = _mebibytes(costs[arm.origin or arm.name].peak_bytes) if (arm.origin or arm.name) in costs else "—"
        table.add_row(arm.label, *(_mebibytes(part) for part in parts), measured)
    return table


def attention_table(plan: Plan, attention: AttentionCosts, costs: Mapping[str, RunCost]) -> Table:
    """The time of attention in a step, by layer, and the predicted step beside the measured one."""
    reference = next((arm for arm in plan.arms if arm.name == _reference(plan)), plan.arms[0])
    table = Table(
        "arm",
        "heads by layer",
        "by layer, ms",
        title="attention in a step, measured per layer",
        caption=f"{attention.text()}. Step predicted: that of {reference.label}, with its attention replaced by this "
        "arm's; for arms that differ from it in attention alone",
    )
    for heading in ("all layers", "of the step", "step predicted", "step measured"):
        table.add_column(heading, justify="right")
    for arm in plan.arms:
        if arm.name not in attention.seconds:
            continue
        own, base = costs.get(arm.name), costs.get(reference.name)
        alike = arm is not reference and differ_in_attention_alone(arm.config, reference.config)
        total, layers = attention.of(arm.name), arm.config.model.layers
        table.add_row(
            arm.label,
            "-".join(str(layer.num_heads) for layer in layers),
            "-".join(f"{1000 * seconds:.3g}" for seconds in attention.seconds[arm.name]),
            duration(total),
            "—" if own is None else f"{total / own.step:.0%}",
            duration(attention.predicted(base.step, reference=reference.name, arm=arm.name)) if base and alike else "—",
            "—" if own is None else duration(own.step),
        )
    return table


def _reference(plan: Plan) -> str | None:
    """The arm from which steps are predicted: the study's control, or the first arm of the trend's reference."""
    trend = plan.study.trend
    return plan.study.control or (trend.series[trend.reference][0] if trend else None)


def contrast_table(plan: Plan) -> Table | None:
    """What differs per claim; None for a study without claims."""
    if not plan.contrasts:
        return None
    table = Table("claim", "metric", "judged", "what differs, after every default and rule")
    for contrast in plan.contrasts:
        moved = ", ".join(f"{row.path} {row.left} -> {row.right}" for row in contrast.differences)
        table.add_row(contrast.id, contrast.claim.metric, contrast.pairing, moved or "nothing")
    return table


def _mebibytes(size: int) -> str:
    mebibytes = size / 2**20
    return f"{mebibytes:,.0f}" if mebibytes >= 100 else f"{mebibytes:.1f}"


def family_of(plan: Plan) -> list[Contrast]:
    """The confirmatory comparisons of the plan."""
    chosen = confirmatory([contrast.claim for contrast in plan.contrasts])
    return [contrast for contrast, is_one in zip(plan.contrasts, chosen, strict=True) if is_one]


def family_text(plan: Plan) -> str:
    """How many comparisons share one error level, and which."""
    family, others = family_of(plan), len(plan.contrasts) - len(family_of(plan))
    names = ", ".join(contrast.id for contrast in family)
    exploratory = f"; {others} exploratory, suggestive at best" if others else ""
    if len(family) == 1:
        return f"one confirmatory comparison: {names}{exploratory}"
    return f"{len(family)} confirmatory comparisons share one error level (Holm): {names}{exploratory}"


def never_shown(plan: Plan) -> Iterator[str]:
    """The comparisons that these seeds cannot show, however clear the runs are, with the seeds that could."""
    family = family_of(plan)
    for contrast in family:
        claim, seeds = contrast.claim, len(plan.seeds)
        if claim.bounded and not _shows(contrast, seeds, len(family)):
            enough = _fewest(contrast, len(family))
            what = "always against never" if claim.margin is None else "equal values at every seed"
            needs = f"over {MOST_SEEDS:,}" if enough is None else f"{enough:,}"
            yield f"{contrast.id}: {seeds} seeds cannot show it, not even {what}; it takes {needs}"


def _fewest(contrast: Contrast, family: int) -> int | None:
    return smallest(lambda seeds: _shows(contrast, seeds, family), limit=MOST_SEEDS, first=2)


def _shows(contrast: Contrast, seeds: int, family: int) -> bool:
    """Whether the clearest accuracies there can be show the claim, as the first of its family."""
    import numpy as np

    from stacklab.stats.verdict import Rule, p_values

    if seeds < 2:
        return False
    claim: ClaimSpec = contrast.claim
    best, worst = np.ones((1, seeds)), np.zeros((1, seeds))
    rows = {"higher": (best, worst), "lower": (worst, best), "equivalent": (best, best)}[claim.direction]
    rule = Rule(claim.direction, claim.margin, claim.level, bounded=True)
    p = float(p_values(*rows, by=COMPARISONS[contrast.pairing], rule=rule)[0])
    return p * family <= claim.level


EFFECTS = (0.5, 1.0, 2.0, 4.0)
UNITS = {"paired": "the paired difference", "unpaired": "a run"}


def power_table(pairing: Pairing, seeds: int, *, level: float, power: float, family: int) -> Table:
    """What `seeds` per arm, at least 2, can show: the power for several effects, the seeds that reach `power` for each,
    and the effect that these seeds reach it for.

    At the error level of one claim, and at the share of it that Holm's correction leaves the first of `family`
    confirmatory claims; without others, or with family 0, at the level alone.
    """
    by = COMPARISONS[pairing]
    levels = {f"{level:.3g}": level}
    if family > 1:
        levels[f"{level:.3g} / {family}"] = level / family
    least = [
        f"{detectable_effect(by, seeds, level=each, power=power):.2g} at level {name}" for name, each in levels.items()
    ]
    table = Table(
        "difference",
        title=f"power of {seeds} seeds, {pairing}",
        caption=f"Differences are in standard deviations of {UNITS[pairing]}. With {seeds} seeds, {power:.0%} power "
        f"needs a difference of {', '.join(least)}.{_family(level, family)} The smallest two-sided p of an exact "
        f"permutation test is {by.smallest_p(seeds):.3g}.",
        title_justify="left",
        caption_justify="left",
    )
    for name in levels:
        table.add_column(f"power at level {name}", justify="right")
        table.add_column(f"seeds for {power:.0%}", justify="right")
    for effect in EFFECTS:
        cells: list[str] = []
        for each in levels.values():
            needed = seeds_for_effect(by, effect, level=each, power=power)
            cells.append(f"{difference_power(effect, by.design(seeds), level=each):.0%}")
            cells.append(f"over {MOST_SEEDS:,}" if needed is None else f"{needed:,}")
        table.add_row(f"{effect:g}", *cells)
    return table


def _family(level: float, family: int) -> str:
    if family < 2:
        return ""
    return f" Level {level:.3g} / {family} is that of the first of {family} confirmatory comparisons (Holm)."
