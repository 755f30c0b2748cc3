"""The trend: a metric, times and the cost of attention against total heads."""

from stacklab.report.facts.build import Facts
from stacklab.report.sections.section import Details, Heading, Section, TableBlock, figure_block, shown
from stacklab.report.sections.trend.figure import TITLES, trend_figure
from stacklab.report.sections.trend.tables import fit_table, gap_table, point_table
from stacklab.study.results.trend import Trend


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
        f"{TITLES[trend.against]}. Parameters have profile-likelihood intervals at 95 %, curves and gaps Student's t "
        "intervals. The intervals of one curve treat its points as independent although its arms share their seeds: "
        "where a seed shifts all of its runs alike, the band of a curve is too narrow and the interval of b too wide. "
        f"A gap is a share of the value of the curve of {trend.reference}, negative where the series lies lower; where "
        "both curves have the same seeds, what a seed adds to all of its runs is removed from the gap. It decides no "
        "verdict."
    )
