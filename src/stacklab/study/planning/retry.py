"""Before a stack counts as failing it is trained again at other learning rates, with the same seeds and steps."""

from collections.abc import Collection

from stacklab.study.planning.plan import ArmPlan, Plan
from stacklab.study.planning.rates import with_optimizer


def retry_plan(plan: Plan, arms: Collection[str]) -> Plan:
    """Those arms alone, each at every rate of the plan's retry but its own; no arm at all where it has none."""
    rates = () if plan.retry is None else plan.retry.learning_rates
    again = [
        _at_rate(arm, rate)
        for arm in plan.arms
        if arm.name in arms
        for rate in rates
        if rate != arm.config.train.optimizer.learning_rate
    ]
    return plan.model_copy(update={"arms": tuple(again), "contrasts": ()})


def most_retries(plan: Plan) -> Plan:
    """As if no stack solved at its first rate."""
    return retry_plan(plan, {arm.name for arm in plan.arms})


def _at_rate(arm: ArmPlan, rate: float) -> ArmPlan:
    return arm.model_copy(
        update={
            "name": f"{arm.name}@{rate:g}",
            "label": f"{arm.label}, rate {rate:g}",
            "config": with_optimizer(arm.config, learning_rate=rate),
            "origin": arm.name,
        }
    )
