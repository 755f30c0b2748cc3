"""What arms are compared with beside the claims: the study's control, and the numbers that its source printed."""

from collections.abc import Iterator, Mapping, Sequence

from stacklab.base.spec import Items, Spec
from stacklab.report.facts.arms import ArmFact
from stacklab.report.facts.estimates import Measure, shifted
from stacklab.stats.result import Result, Tested
from stacklab.stats.unpaired import dunnett
from stacklab.study.planning.plan import Plan
from stacklab.study.planning.tuning import MARK
from stacklab.study.spec.study import ReportedSpec


class ControlFact(Spec):
    """One arm minus the control, with the p value and interval of Dunnett's test over all arms of the metric.

    level: of this look, with which p is compared: the smallest of the claims about the metric.
    """

    metric: str
    arm: str
    label: str
    control: str
    level: float
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
        level = min(contrast.claim.level for contrast in plan.contrasts if contrast.claim.metric == metric)
        compared = dunnett({arm.name: _values(arm, metric) for arm in others}, _values(control, metric), level=level)
        for arm in others:
            one = compared[arm.name]
            yield ControlFact(
                metric=metric,
                arm=arm.name,
                label=arm.label,
                control=control.label,
                level=level,
                p=one.p,
                difference=one.difference,
            )


def _values(arm: ArmFact, metric: str) -> tuple[float, ...]:
    measure = arm.measure(metric)
    return measure.values if measure is not None else ()


SOURCE_SCALE = "paper"


class ReportedFact(Spec):
    """A number that the source printed, beside the one measured here. `absent`: why there is none."""

    arm: str
    label: str
    metric: str
    reported: float
    note: str
    reproduced: Measure | None
    difference: Result | None
    """Reproduced minus reported, with the interval over seeds."""
    gap: float | None
    """The same without interval; one seed is enough for it."""
    absent: str


class SourceFact(Spec):
    title: str
    rows: Items[ReportedFact]
    differences: Items[str]
    settings_note: str
    """Whether this scale uses the source's settings."""


def source_fact(plan: Plan, arms: Mapping[str, ArmFact]) -> SourceFact | None:
    source = plan.study.source
    if source is None:
        return None
    return SourceFact(
        title=source.title,
        rows=tuple(_row(plan, arms, row) for row in source.reported),
        differences=source.differences,
        settings_note=settings_note(plan.scale, plan.variant),
    )


def settings_note(scale: str, variant: str) -> str:
    if scale == SOURCE_SCALE and not variant:
        return f"Scale {scale} uses the source's settings, apart from the differences below and what the limits name."
    what = f"Scale {scale} with other settings or seeds" if scale == SOURCE_SCALE else f"Scale {scale}"
    return (
        f"{what} does not use the source's settings (scale {SOURCE_SCALE} does): the reported numbers are shown for "
        "orientation, and a difference is no failure to reproduce."
    )


def _row(plan: Plan, arms: Mapping[str, ArmFact], row: ReportedSpec) -> ReportedFact:
    arm = arms.get(row.arm)
    measure = arm.measure(row.metric) if arm else None
    mean = measure.mean if measure else None
    return ReportedFact(
        arm=row.arm,
        label=plan.study.arms[row.arm].label,
        metric=row.metric,
        reported=row.value,
        note=row.note,
        reproduced=measure,
        difference=shifted(measure.estimate, row.value) if measure else None,
        gap=None if mean is None else mean - row.value,
        absent=_absence(plan, arm, row) if measure is None else "",
    )


def _absence(plan: Plan, arm: ArmFact | None, row: ReportedSpec) -> str:
    if arm is None:
        return f"scale {plan.scale} runs without this arm"
    if not arm.finished:
        return "no run of this arm finished"
    return f"the runs record no {row.metric}"
