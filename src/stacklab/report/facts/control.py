"""All arms against the study's control, together at one level."""

from collections.abc import Iterator, Sequence

from stacklab.base.spec import Spec
from stacklab.report.facts.arms import ArmFact
from stacklab.report.facts.estimates import LEVEL
from stacklab.stats.many_to_one import dunnett
from stacklab.stats.result import Result, Tested
from stacklab.study.planning.plan import Plan
from stacklab.study.planning.tuning import MARK


class ControlFact(Spec):
    """One arm minus the control, with the p value and interval of Dunnett's test over all arms of the metric."""

    metric: str
    arm: str
    label: str
    control: str
    p: Tested
    difference: Result


def against_control(plan: Plan, arms: Sequence[ArmFact]) -> Iterator[ControlFact]:
    """For each metric that a claim is about; nothing where the scale runs without the control or any other arm.

    Arms at their own best learning rate are set against the control at its own.
    """
    if plan.study.control is None:
        return
    tuned = {arm.name for arm in plan.arms if arm.origin}
    yield from _against(plan, plan.study.control, [arm for arm in arms if arm.name not in tuned])
    yield from _against(plan, plan.study.control + MARK, [arm for arm in arms if arm.name in tuned])


def _against(plan: Plan, name: str, arms: Sequence[ArmFact]) -> Iterator[ControlFact]:
    control = next((arm for arm in arms if arm.name == name), None)
    others = [arm for arm in arms if arm is not control]
    if control is None or not others:
        return
    for metric in dict.fromkeys(contrast.claim.metric for contrast in plan.contrasts):
        compared = dunnett({arm.name: _values(arm, metric) for arm in others}, _values(control, metric), level=LEVEL)
        for arm in others:
            one = compared[arm.name]
            yield ControlFact(
                metric=metric, arm=arm.name, label=arm.label, control=control.label, p=one.p, difference=one.difference
            )


def _values(arm: ArmFact, metric: str) -> tuple[float, ...]:
    measure = arm.measure(metric)
    return measure.values if measure is not None else ()
