"""Retries: before a stack counts as failing, it is trained again at other learning rates, all else equal."""

from collections.abc import Collection

from stacklab.study.planning.plan import ArmPlan, Plan
from stacklab.study.planning.rates import with_optimizer


def retry_plan(plan: Plan, arms: Collection[str]) -> Plan:
    """The named arms alone, each at every retry rate except its own; no arm for a plan without retries."""
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
    """The retries that are needed if no stack solves at its first rate."""
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
