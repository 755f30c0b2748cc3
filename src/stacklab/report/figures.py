"""Facts -> the report's figures, as plain data, in the order of the page."""

from stacklab.report.aggregate_view import aggregate_figure
from stacklab.report.cell_views import maps, steps_to_solve
from stacklab.report.cost_figures import accuracy, costs
from stacklab.report.curve_figures import curves, overlay
from stacklab.report.plot import Figure
from stacklab.report.power_figure import power
from stacklab.report.schema import Facts
from stacklab.report.trend_view import trend_figure
from stacklab.report.tuning_views import learning_rates


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
