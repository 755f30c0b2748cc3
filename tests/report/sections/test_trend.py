"""A study's trend in the report: fits, gaps, labels, and what attention costs."""

from itertools import combinations
from typing import Any

import numpy as np
import pytest

from stacklab.report.drawing.csv import figure_csv
from stacklab.report.drawing.figure import Points
from stacklab.report.drawing.matplotlib import draw, render
from stacklab.report.drawing.plotly import plotly_panel
from stacklab.report.facts.build import Facts, build_facts
from stacklab.report.pages.markdown import render_markdown
from stacklab.report.pages.write import render_html
from stacklab.report.sections.registry import figures, sections
from stacklab.report.sections.trend.figure import trend_figure
from stacklab.report.sections.trend.trend import fit_table, gap_table, point_table
from stacklab.report.sections.trend.trend import trend as trend_section
from stacklab.stats.fits.decay import Decay, fit_decay
from stacklab.stats.fits.decay_gap import INDEPENDENT, SeedPoint, relative_gap, shared_gap
from stacklab.stats.result import Estimate, Undefined
from stacklab.study.results.results import StudyResult
from stacklab.study.results.trend import Trend, trend
from tests.report.conftest import MakeStudy, study_tree, trended_tree

LOSSES = {2: 3.0, 3: 2.8, 4: 2.65, 6: 2.42, 12: 2.12, 16: 2.06}
"""By total heads, near 2 + 1.5 exp(-x / 5)."""


def loss(arm: str, heads: int, seed: int) -> float:
    """A hundredth apart by seed, falling arms one per cent lower, and a little noise of each run."""
    lower = 0.99 if arm.startswith("falling") else 1.0
    return (
        lower * LOSSES[heads]
        + 0.01 * (seed - 2)
        + float(np.random.default_rng([heads, seed, len(arm)]).normal(0, 0.003))
    )


@pytest.fixture
def result(make_study: MakeStudy) -> StudyResult:
    """Planted losses."""
    result = make_study(tree=trended_tree())
    for index, row in enumerate(result.rows):
        heads = sum(layer.num_heads for layer in result.plan.arm(row.arm).config.model.layers)
        planted = {"validation.loss": loss(row.arm, heads, row.seed)}
        result.rows[index] = row.model_copy(update={"metrics": row.metrics | planted})
    return result


@pytest.fixture
def facts(result: StudyResult) -> Facts:
    return build_facts(result)


def seed_points(series: str, *heads: int) -> list[SeedPoint]:
    return [SeedPoint(at, seed, loss(f"{series}-{at}", at, seed)) for at in heads for seed in (1, 2, 3)]


def trend_of(facts: Facts) -> Trend:
    assert facts.trend is not None
    return facts.trend


def panel_points(facts: Facts, panel: int) -> list[Points]:
    figure = trend_figure(facts)
    assert figure is not None
    return list(figure.panels[panel].points)


def test_every_series_is_fitted_through_all_its_seeds(facts: Facts) -> None:
    even, rising, falling = trend_of(facts).series
    assert [series.name for series in (even, rising, falling)] == ["even", "rising", "falling"]
    assert isinstance(even.fit, Decay)
    assert (even.fit.n, even.fit.distinct, even.fit.degrees) == (9, 3, 6)
    points, others = seed_points("even", 2, 4, 16), seed_points("falling", 3, 6, 12)
    fit = fit_decay([one.x for one in points], [one.y for one in points], at=[10])
    assert even.fit.at(10).value == pytest.approx(fit.at(10).value)  # type: ignore[union-attr]
    assert even.gap is None
    assert falling.gap == shared_gap(others, points, x=10)
    assert [point.schedule for point in rising.points] == ["1-2", "2-4", "4-8"]


@pytest.mark.parametrize("status", ["diverged", "unfinished", "missing"])
def test_a_run_that_did_not_finish_enters_no_fit_and_leaves_its_gap_unpaired(result: StudyResult, status: str) -> None:
    place = next(i for i, row in enumerate(result.rows) if (row.arm, row.seed) == ("falling-6", 2))
    result.rows[place] = result.rows[place].model_copy(update={"status": status})
    found = trend(result.plan, result.rows)
    assert found is not None
    even, rising, falling = found.series
    assert isinstance(falling.fit, Decay) and falling.fit.n == 8
    assert falling.gap == relative_gap(falling.fit, even.fit, x=10)
    assert isinstance(falling.gap, Estimate) and isinstance(rising.gap, Estimate)
    assert falling.gap.method == INDEPENDENT != rising.gap.method


def test_the_figure_labels_means_with_their_schedules_and_draws_fits_with_bands(facts: Facts) -> None:
    figure = trend_figure(facts)
    assert figure is not None
    loss, *others = figure.panels
    assert [panel.title for panel in others] == [
        "Training time (ms)",
        "Time of a step, median (ms)",
        "Attention of a step, alone (s)",
    ]
    labelled = [mark for mark in loss.points if mark.labels]
    assert [mark.labels for mark in labelled][:4] == [("1-1",), ("2-2",), ("8-8",), ("1-2",)]
    assert all(mark.hollow and mark.low for mark in labelled)
    assert len({mark.label_side for mark in labelled}) == len({mark.color for mark in labelled}) == 3
    assert not any(mark.labels for panel in others for mark in panel.points)
    assert (len(loss.lines), len(loss.bands), len(figure.keys)) == (3, 3, 3)
    assert all(
        low < y < high
        for b, line in zip(loss.bands, loss.lines, strict=True)
        for low, y, high in zip(b.low, line.y, b.high, strict=True)
    )
    assert "even 4 (2-2), mean" in figure_csv(figure)


def test_labels_of_arms_at_one_place_do_not_print_over_each_other(
    facts: Facts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rising and falling arms stand at the same numbers of heads, here with the same losses, and as the first and the
    fifth series do both would have their labels on the right."""
    monkeypatch.setattr("stacklab.report.sections.trend.figure.SIDES", ("right",))
    arms = tuple(
        arm.model_copy(update={"measures": facts.arm(arm.name.replace("falling", "rising")).measures})
        for arm in facts.arms
    )
    figure = trend_figure(facts.model_copy(update={"arms": arms}))
    assert figure is not None
    axes = draw(figure).axes[0]
    boxes = [text.get_window_extent() for text in axes.texts]
    assert len(boxes) == 9
    assert not any(one.overlaps(two) for one, two in combinations(boxes, 2))


def test_both_pages_say_what_the_band_and_the_gap_take_for_granted(facts: Facts) -> None:
    drawn = figures(sections(facts))
    assert "which treats runs of one seed as independent" in drawn["trend"].caption
    for page in (render_html(facts, sections(facts)), render_markdown(facts, sections(facts))):
        assert "the band of a curve is too narrow" in page
        assert "where both curves have the same seeds, what a seed adds to all of its runs is removed" in page


def test_attention_is_the_sum_over_layers(facts: Facts) -> None:
    points = {mark.name: mark.y for mark in panel_points(facts, 3)}
    assert points["rising 12 (4-8)"] == (4.5 + 8.5,)
    assert points["even 2 (1-1)"] == (3.0,)


def test_both_renderers_write_the_labels(facts: Facts) -> None:
    figure = trend_figure(facts)
    assert figure is not None
    svg, page = render(draw(figure), "svg").decode(), plotly_panel(figure.panels[0])
    assert "<!-- 4-8 -->" in svg
    (trace,) = [trace for trace in page["data"] if trace.get("text") == ["4-8"]]
    assert (trace["mode"], trace["textposition"]) == ("markers+text", "top center")


def test_tables_print_degrees_of_freedom_and_gaps(facts: Facts) -> None:
    assert facts.trend is not None
    fits, gaps, points = fit_table(facts.trend), gap_table(facts), point_table(facts, facts.trend)
    assert fits is not None and gaps is not None and points is not None
    assert [cell.text for cell in fits.rows[0][:3]] == ["even", "9 at 3 places", "6"]
    assert fits.rows[0][-1].text.startswith("3 different x: the curve goes through their means")
    assert gaps.heads[1].text == "Its curve at 10 total heads"
    assert [row[0].text for row in gaps.rows] == ["rising", "falling"]
    assert " %, 95% CI [" in gaps.rows[1][3].text
    bracketed = [cell.text for table in (fits, gaps) for row in table.rows for cell in row if "[" in cell.text]
    assert len(bracketed) > 10 and all(", 95% CI [" in text for text in bracketed)
    assert points.notes[-1] == "±: half of the 95% t interval"
    assert [row[5].text for row in gaps.rows] == ["effects of seeds removed"] * 2
    assert [row[4].text for row in gaps.rows] == ["+4.50 %", "–"]
    assert [cell.text for cell in points.rows[3][:4]] == ["rising", "rising 3", "3", "1-2"]
    assert points.notes[0].startswith("Attention: layers measured alone, forward and backward, medians of 3 rounds")


def test_a_gap_beyond_the_points_is_called_so(make_study: MakeStudy) -> None:
    tree = trended_tree()
    tree["trend"]["at"] = 14
    table = gap_table(build_facts(make_study(tree=tree)))
    assert table is not None
    told = [row[-1].text for row in table.rows]
    assert all("beyond its points, from 3 to 12" in text or "cannot be fitted" in text for text in told)


def test_one_seed_draws_its_points_and_says_that_nothing_can_be_fitted(make_study: MakeStudy) -> None:
    facts = build_facts(make_study(tree=trended_tree(), seeds=(1,)))
    reason = "3 parameters through 3 points have no degrees of freedom"
    assert {series.fit for series in trend_of(facts).series} == {Undefined(reason=reason)}
    assert facts.trend is not None
    fits, gaps, figure = fit_table(facts.trend), gap_table(facts), trend_figure(facts)
    assert fits is not None and gaps is not None and figure is not None
    assert fits.rows[0][-1].text == f"cannot be fitted: {reason}"
    assert [cell.text for cell in gaps.rows[0][1:]] == [
        *("–", "–", "undefined", "+4.50 %"),
        f"the curve cannot be fitted: {reason}",
    ]
    assert not figure.panels[0].lines
    page = render_html(facts, sections(facts))
    assert page.count(f"cannot be fitted: {reason}") == 5


def test_a_scale_shows_the_arms_that_it_runs(make_study: MakeStudy) -> None:
    tree = trended_tree()
    tree["scales"]["smoke"]["arms"] = ["rising-3", "rising-6"]
    facts = build_facts(make_study(tree=tree))
    (rising,) = trend_of(facts).series
    assert [point.arm for point in rising.points] == ["rising-3", "rising-6"]
    assert "3 parameters need 3 different x, there are 2" in render_markdown(facts, sections(facts))
    tree["scales"]["smoke"]["arms"] = ["other"]
    tree["arms"]["other"] = {"label": "other", "change": {"model.num_heads": 4}}
    assert build_facts(make_study(tree=tree)).trend is None


def test_without_finished_runs_attention_is_all_there_is(make_study: MakeStudy) -> None:
    tree = trended_tree()
    missing = {(arm, seed): "missing" for arm in tree["arms"] for seed in (1, 2, 3)}
    facts = build_facts(make_study(tree=tree, outcomes=missing))
    figure = trend_figure(facts)
    assert figure is not None
    assert [panel.title for panel in figure.panels] == ["Attention of a step, alone (s)"]
    assert "3 parameters through 0 points" in render_markdown(facts, sections(facts))


def test_a_study_without_a_trend_has_no_such_part(make_study: MakeStudy) -> None:
    facts = build_facts(make_study(tree=study_tree()))
    tables: list[Any] = [gap_table(facts), trend_figure(facts), trend_section(facts)]
    assert tables == [None] * 3
    assert "trend" not in render_markdown(facts, sections(facts)).lower()
