"""The width at which the shallowest arm is as large or as costly as the deepest."""

from stacklab.audit.findings.reproduce import chosen_setting
from stacklab.audit.findings.settings import Setting, build
from stacklab.audit.spec import Finding, Numbers, Severity, Stated
from stacklab.base.search import smallest
from stacklab.base.units import count
from stacklab.model.count import QUANTITIES, Quantity, measure

WORDS: dict[Quantity, str] = {
    "total_parameters": "total parameters",
    "non_embedding_parameters": "non-embedding parameters",
    "flops_per_token": "FLOPs per token",
}
LARGEST_WIDTH = 2**20
TOLERANCE = 0.05


def control_finding(stated: Stated) -> Finding | None:
    """d_model of an equal control by each convention, and the size of a proposed one.

    None unless two depths and their counts are stated.
    """
    chosen, depths = chosen_setting(stated), sorted({arm.num_layers for arm in stated.arms if arm.num_layers})
    if chosen is None or len(depths) < 2:
        return None
    shallow, deep = depths[0], depths[-1]
    context = stated.training.block_size or stated.model.context_length or 1
    target = build(chosen.setting, stated.model, deep)
    numbers: Numbers = {"num_layers": shallow, "target_layers": deep}
    heads = stated.model.num_heads
    # Shared keys and values have whole heads, so that heads must divide the width.
    step = heads if heads and chosen.setting.kv_heads is not None else 1
    parts = []
    for quantity in QUANTITIES:
        goal = measure(target, quantity, context=context)
        width = _solve(stated, chosen.setting, shallow, quantity, goal, context, step=step)
        numbers[f"d_model_by_{quantity}"] = width
        if heads:
            name = f"d_model_by_{quantity}_multiple_of_heads"
            numbers[name] = _solve(stated, chosen.setting, shallow, quantity, goal, context, step=heads)
        parts.append(f"{width:,} by {WORDS[quantity]}")
    sentence = f"{shallow} {'layer matches' if shallow == 1 else 'layers match'} {deep} at d_model {', '.join(parts)}."
    severity: Severity = "note"
    if stated.control_width and stated.control_width % step:
        sentence += f" The proposed {stated.control_width:,} is no multiple of the {step} heads."
    elif stated.control_width:
        made = measure(
            build(chosen.setting, stated.model, shallow, d_model=stated.control_width), "total_parameters", context=1
        )
        excess = made / measure(target, "total_parameters", context=1) - 1
        numbers |= {"proposed_d_model": stated.control_width, "proposed_parameters": made, "proposed_excess": excess}
        sentence += f" The proposed {stated.control_width:,} has {count(made)} parameters, {excess:+.1%} in total."
        severity = "contradiction" if abs(excess) > TOLERANCE else "agreement"
    return Finding(
        kind="control-width",
        group="size",
        severity=severity,
        subject="equal control",
        sentence=sentence,
        numbers=numbers,
    )


def _solve(
    stated: Stated, setting: Setting, layers: int, quantity: Quantity, goal: int, context: int, *, step: int
) -> int:
    """The multiple of `step` whose quantity is nearest to `goal`; every quantity grows with the width."""

    def quantity_at(times: int) -> int:
        return measure(build(setting, stated.model, layers, d_model=times * step), quantity, context=context)

    limit = LARGEST_WIDTH // step
    reached = smallest(lambda times: quantity_at(times) >= goal, limit=limit) or limit
    return step * min(max(1, reached - 1), reached, key=lambda times: abs(quantity_at(times) - goal))
