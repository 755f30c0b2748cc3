"""The trend: a metric, times and the cost of attention against total heads."""

from stacklab.base.units import confidence
from stacklab.report.facts.arms import ArmFact
from stacklab.report.facts.build import Facts
from stacklab.report.format.numbers import MINUS, NOTHING, alone, measure_text
from stacklab.report.format.table import TextRow, TextTable, text_row
from stacklab.report.sections.section import Details, Heading, Section, TableBlock, figure_block, shown
from stacklab.report.sections.trend.figure import TITLES, trend_figure
from stacklab.run.metrics import describe
from stacklab.stats.fits.decay import Decay
from stacklab.stats.fits.decay_gap import INDEPENDENT, SHARED
from stacklab.stats.fits.decay_scales import Parameter
from stacklab.stats.result import Estimate, Result
from stacklab.study.results.trend import Series, Trend


def trend(facts: Facts) -> Section | None:
    """None for a study without a trend."""
    if facts.trend is None:
        return None
    figure, gaps = trend_figure(facts), gap_table(facts)
    return Section(
        name="trend",
        title=figure.title if figure else "Trend",
        nav="Trend",
        lead=_lead(facts.trend),
        blocks=shown(
            figure_block(figure),
            Heading("Fits"),
            TableBlock(fit_table(facts.trend), "wide remarked"),
            Heading("Gaps") if gaps else None,
            TableBlock(gaps) if gaps else None,
            Details(
                "Every arm with its heads, times and attention", (TableBlock(point_table(facts, facts.trend), "wide"),)
            ),
        ),
    )


def _lead(trend: Trend) -> str:
    """What is fitted, and what its intervals assume."""
    return (
        f"An exponential c + a exp(−x / b) is fitted to all finished seeds of a series, x being the "
        f"{TITLES[trend.against]}. Parameters have profile-likelihood intervals, curves and gaps Student's t "
        "intervals. The intervals of one curve treat its points as independent although its arms share their seeds: "
        "where a seed shifts all of its runs alike, the band of a curve is too narrow and the interval of b too wide. "
        f"A gap is a share of the value of the curve of {trend.reference}, negative where the series lies lower; where "
        "both curves have the same seeds, what a seed adds to all of its runs is removed from the gap. It decides no "
        "verdict."
    )


STEP = "median_step_seconds"
METHODS = {
    SHARED: "effects of seeds removed",
    INDEPENDENT: "not every seed has a run at every place of both, so the curves are treated as independent",
}


def point_table(facts: Facts, trend: Trend) -> TextTable:
    """An arm a row: its place, its metric, its times, and the share of a step that is attention."""
    rows = []
    for series in trend.series:
        for point in series.points:
            arm, attention = facts.arm(point.arm), sum(point.attention_seconds)
            measures = [_measured(arm, name) for name in (trend.metric, "train_seconds", STEP)]
            cost = (_seconds(attention), _share(attention, arm)) if point.attention_seconds else (NOTHING, NOTHING)
            rows.append(text_row(series.name, arm.label, f"{point.x:g}", point.schedule, *measures, *cost))
    times = ("Training time", "Time of a step", "Attention of a step, alone", "Share of the step")
    place = (TITLES[trend.against].capitalize(), "Heads by layer", describe(trend.metric).title)
    notes = [f"Attention: {trend.attention}"] if trend.attention else []
    notes.append(f"±: half of the {confidence(facts.level)} t interval")
    return TextTable(text_row("Series", "Arm", *place, *times), tuple(rows), notes=tuple(notes))


def fit_table(trend: Trend) -> TextTable:
    """A series a row, with the degrees of freedom, or why it cannot be fitted."""
    heads = ("Series", "Points", "Degrees of freedom", "Limit c", "Height a", f"Scale b, in {TITLES[trend.against]}")
    return TextTable(text_row(*heads, "Scatter", "Remark"), tuple(_fit_row(series) for series in trend.series))


def gap_table(facts: Facts) -> TextTable | None:
    """A series a row: its curve and that of the reference at one place, and the relative difference. None for one."""
    trend = facts.trend
    others = [series for series in trend.series if series.gap is not None] if trend else []
    if trend is None or not others:
        return None
    reference = next((series for series in trend.series if series.name == trend.reference), None)
    rows = [
        text_row(
            series.name,
            _at(series, trend),
            _at(reference, trend),
            _gap_text(series.gap),
            NOTHING if series.reported is None else _percent(series.reported),
            _remark(series, trend),
        )
        for series in others
        if series.gap is not None
    ]
    where = f"at {trend.at:g} {TITLES[trend.against]}"
    heads = ("Series", f"Its curve {where}", f"Curve of {trend.reference}", "Gap, relative", "In the source", "Remark")
    return TextTable(text_row(*heads), tuple(rows))


def _fit_row(series: Series) -> TextRow:
    fit = series.fit
    if not isinstance(fit, Decay):
        return text_row(series.name, *(NOTHING,) * 6, f"cannot be fitted: {fit.reason}")
    parameters = (_parameter(parameter, fit.level) for parameter in (fit.limit, fit.height, fit.scale))
    points = f"{fit.n} at {fit.distinct} places"
    return text_row(series.name, points, str(fit.degrees), *parameters, f"{fit.spread:.2g}", fit.note)


def _parameter(parameter: Parameter, level: float) -> str:
    low, high = ("not bounded" if end is None else _number(end) for end in (parameter.low, parameter.high))
    return f"{_number(parameter.value)}, {confidence(level)} CI [{low}, {high}]"


def _at(series: Series | None, trend: Trend) -> str:
    if series is None or not isinstance(series.fit, Decay):
        return NOTHING
    point = series.fit.at(trend.at)
    interval = f"[{_number(point.low)}, {_number(point.high)}]"
    return f"{_number(point.value)}, {confidence(series.fit.level)} CI {interval}"


def _gap_text(gap: Result) -> str:
    if not isinstance(gap, Estimate):
        return "undefined"
    return f"{_percent(gap.value)}, {confidence(gap.level)} CI [{_percent(gap.low)}, {_percent(gap.high)}]"


def _percent(share: float) -> str:
    return f"{100 * share:+.2f} %".replace("-", MINUS)


def _remark(series: Series, trend: Trend) -> str:
    if not isinstance(series.gap, Estimate):
        return series.gap.reason if series.gap else ""
    places = [point.x for point in series.points]
    remarks = [METHODS[series.gap.method]]
    if not min(places) <= trend.at <= max(places):
        remarks.insert(0, f"beyond its points, from {min(places):g} to {max(places):g}")
    return "; ".join(remarks)


def _measured(arm: ArmFact, metric: str) -> str:
    return measure_text(describe(metric).style, arm.measure(metric))


def _seconds(seconds: float) -> str:
    return alone("seconds", seconds)


def _share(attention: float, arm: ArmFact) -> str:
    measure = arm.measure(STEP)
    return alone("share", attention / measure.mean) if measure is not None and measure.mean else NOTHING


def _number(value: float) -> str:
    return f"{value:#.4g}".rstrip(".").replace("-", MINUS)
