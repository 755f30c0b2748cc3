"""The study's trend: where every arm stands, the fit of every series, and the gaps between the fits."""

from collections.abc import Sequence

from stacklab.base.spec import Items, Spec
from stacklab.stats.decay import Decay, DecayFit, fit_decay, relative_gap
from stacklab.stats.result import Result, Undefined
from stacklab.study.collect import Row
from stacklab.study.plan import ArmPlan, Plan
from stacklab.study.trend_spec import Against, TrendSpec, quantity_of

DRAWN = 60
"""Points of a curve, beside the one at which the gap is taken."""


class TrendPoint(Spec):
    """Where an arm stands. schedule: heads of its layers, bottom first. attention_seconds: in a step, by layer."""

    arm: str
    x: float
    schedule: str
    attention_seconds: Items[float]


class Series(Spec):
    """The arms of a series that this scale runs, the fit through all their finished seeds, and its gap to that of the
    reference: a share of the reference's value. None for the reference itself."""

    name: str
    points: Items[TrendPoint]
    fit: DecayFit
    gap: Result | None
    reported: float | None = None
    """The gap that the source gives."""


class Trend(Spec):
    """attention: how its seconds were measured; empty where they were not."""

    metric: str
    against: Against
    reference: str
    at: float
    series: Items[Series]
    attention: str


def trend(plan: Plan, rows: Sequence[Row]) -> Trend | None:
    """None for a study without a trend, or a scale without an arm of it."""
    spec = plan.study.trend
    if spec is None:
        return None
    arms = {arm.name: arm for arm in plan.arms}
    series = {name: [arms[one] for one in names if one in arms] for name, names in spec.series.items()}
    series = {name: found for name, found in series.items() if found}
    if not series:
        return None
    fits = {name: _fit(spec, found, rows) for name, found in series.items()}
    reference = fits.get(spec.reference, Undefined(reason="this scale runs no arm of it"))
    return Trend(
        metric=spec.metric,
        against=spec.against,
        reference=spec.reference,
        at=spec.at,
        series=tuple(
            Series(
                name=name,
                points=tuple(_point(plan, spec, arm) for arm in found),
                fit=fits[name],
                gap=None if name == spec.reference else relative_gap(fits[name], reference, x=spec.at),
                reported=spec.reported.get(name),
            )
            for name, found in series.items()
        ),
        attention=plan.attention.text() if plan.attention else "",
    )


def _fit(spec: TrendSpec, arms: Sequence[ArmPlan], rows: Sequence[Row]) -> Decay | Undefined:
    places = {arm.name: float(quantity_of(arm.config.model, spec.against)) for arm in arms}
    points = [
        (places[row.arm], row.metrics[spec.metric])
        for row in rows
        if row.arm in places and row.status == "finished" and spec.metric in row.metrics
    ]
    ends = min(spec.at, *places.values()), max(spec.at, *places.values())
    drawn = {ends[0] + share * (ends[1] - ends[0]) / DRAWN for share in range(DRAWN)}
    return fit_decay([x for x, _ in points], [y for _, y in points], at=sorted({*drawn, ends[1], spec.at}))


def _point(plan: Plan, spec: TrendSpec, arm: ArmPlan) -> TrendPoint:
    model = arm.config.model
    return TrendPoint(
        arm=arm.name,
        x=quantity_of(model, spec.against),
        schedule="-".join(str(layer.num_heads) for layer in model.layers),
        attention_seconds=plan.attention.seconds[arm.name] if plan.attention else (),
    )
