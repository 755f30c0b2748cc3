"""Facts -> the report's figures, as plain data, in the order of the page."""

from stacklab.report.drawing.figure import Figure
from stacklab.report.facts.build import Facts
from stacklab.report.sections.aggregates import aggregate_figure
from stacklab.report.sections.costs import accuracy, costs
from stacklab.report.sections.curves import curves, overlay
from stacklab.report.sections.grid import maps, steps_to_solve
from stacklab.report.sections.power import power
from stacklab.report.sections.trend import trend_figure
from stacklab.report.sections.tuning import learning_rates


def figures(facts: Facts) -> dict[str, Figure]:
    """By name; those that the facts have data for."""
    made = (
        maps(facts),
        steps_to_solve(facts),
        curves(facts),
        overlay(facts),
        costs(facts),
        trend_figure(facts),
        accuracy(facts),
        aggregate_figure(facts),
        learning_rates(facts),
        power(facts),
    )
    return {figure.name: figure for figure in made if figure is not None}
