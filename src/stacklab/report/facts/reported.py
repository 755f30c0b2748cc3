"""The source's numbers beside those of this study."""

from collections.abc import Mapping

from stacklab.base.spec import Items, Spec
from stacklab.report.facts.arms import ArmFact
from stacklab.report.facts.estimates import Measure, shifted
from stacklab.stats.result import Result
from stacklab.study.planning.plan import Plan
from stacklab.study.spec.study import ReportedSpec

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
