"""The study's trend: the point of every arm, the fit of every series, and the gaps between the fits."""

from collections.abc import Mapping, Sequence

from stacklab.base.spec import Items, Spec
from stacklab.stats.fits.decay import Decay, DecayFit, fit_decay
from stacklab.stats.fits.decay_gap import SeedPoint, relative_gap, share_seeds, shared_gap
from stacklab.stats.result import Result, Undefined
from stacklab.study.planning.plan import ArmPlan, Plan
from stacklab.study.results.collect import Row
from stacklab.study.spec.trend import Against, TrendSpec, quantity_of

DRAWN = 60
"""Points of a drawn curve, besides the one at which the gap is taken."""


class TrendPoint(Spec):
    """An arm on the axis. schedule: heads of its layers, bottom first. attention_seconds: per step, by layer."""

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
    """The gap reported in the source."""


class Trend(Spec):
    """attention: how its seconds were measured; empty if they were not."""

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
    series = {name: members for name, members in series.items() if members}
    if not series:
        return None
    points = {name: _seed_points(spec, members, rows) for name, members in series.items()}
    fits = {name: _fit(spec, members, points[name]) for name, members in series.items()}
    return Trend(
        metric=spec.metric,
        against=spec.against,
        reference=spec.reference,
        at=spec.at,
        series=tuple(
            Series(
                name=name,
                points=tuple(_point(plan, spec, arm) for arm in members),
                fit=fits[name],
                gap=None if name == spec.reference else _gap(spec, name, points, fits),
                reported=spec.reported.get(name),
            )
            for name, members in series.items()
        ),
        attention=plan.attention.text() if plan.attention else "",
    )


def _seed_points(spec: TrendSpec, arms: Sequence[ArmPlan], rows: Sequence[Row]) -> list[SeedPoint]:
    """Points of finished runs that have the metric; a run cut short is elsewhere on its curve."""
    places = {arm.name: float(quantity_of(arm.config.model, spec.against)) for arm in arms}
    return [
        SeedPoint(places[row.arm], row.seed, row.metrics[spec.metric])
        for row in rows
        if row.arm in places and row.status == "finished" and spec.metric in row.metrics
    ]


def _fit(spec: TrendSpec, arms: Sequence[ArmPlan], points: Sequence[SeedPoint]) -> Decay | Undefined:
    places = [float(quantity_of(arm.config.model, spec.against)) for arm in arms]
    ends = min(spec.at, *places), max(spec.at, *places)
    drawn = {ends[0] + share * (ends[1] - ends[0]) / DRAWN for share in range(DRAWN)}
    return fit_decay([one.x for one in points], [one.y for one in points], at=sorted({*drawn, ends[1], spec.at}))


def _gap(
    spec: TrendSpec,
    name: str,
    points: Mapping[str, Sequence[SeedPoint]],
    fits: Mapping[str, Decay | Undefined],
) -> Result:
    """The gap to the reference; effects of seeds that both curves share are removed if both have the same seeds."""
    reference = fits.get(spec.reference, Undefined(reason="this scale runs none of its arms"))
    if all(isinstance(fit, Decay) for fit in (fits[name], reference)):
        own, other = points[name], points[spec.reference]
        if share_seeds(own, other):
            return shared_gap(own, other, x=spec.at)
    return relative_gap(fits[name], reference, x=spec.at)


def _point(plan: Plan, spec: TrendSpec, arm: ArmPlan) -> TrendPoint:
    model = arm.config.model
    return TrendPoint(
        arm=arm.name,
        x=quantity_of(model, spec.against),
        schedule="-".join(str(layer.num_heads) for layer in model.layers),
        attention_seconds=plan.attention.seconds[arm.name] if plan.attention else (),
    )
