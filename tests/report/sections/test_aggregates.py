from typing import Any

import pytest

from stacklab.report.facts.build import build_facts
from stacklab.report.pages.markdown import render_markdown
from stacklab.report.sections.aggregates import aggregate_figure, aggregate_table
from stacklab.report.sections.registry import csv_files, sections
from stacklab.stats.result import Estimate
from tests.report.conftest import HOPS, MakeStudy, study_tree


def test_the_table_and_the_csv_hold_every_arm(make_study: MakeStudy) -> None:
    facts = build_facts(make_study())
    table = aggregate_table(facts)
    assert table is not None
    ((name, *cells),) = table.rows
    assert (name.text, name.note) == (
        "Exact answers over tasks",
        "Exact answers, 1-hop problems, Exact answers, 2-hop problems, Exact answers, 4-hop problems",
    )
    assert [cell.note.rpartition(", ")[2] for cell in cells] == ["9 scores"] * 3
    lines = csv_files(sections(facts))["aggregates.csv"].splitlines()
    assert len(lines) == 1 + 3
    estimate = facts.aggregates[0].arms[1].estimate
    assert isinstance(estimate, Estimate)
    assert f"layers-12,12 layers,9,{estimate.value}," in lines[2]


def test_the_figure_shows_every_score_beside_the_mean_and_its_interval(make_study: MakeStudy) -> None:
    facts = build_facts(make_study())
    figure = aggregate_figure(facts)
    assert figure is not None
    (panel,) = figure.panels
    means = [mark for mark in panel.points if mark.hollow]
    dots = [mark for mark in panel.points if not mark.hollow]
    assert (len(means), len(dots)) == (3, 3 * len(HOPS))
    measure = facts.arm("layers-12").measure("accuracy.hops_2")
    assert measure is not None
    assert next(mark.y for mark in dots if mark.name == "12 layers, Exact answers, 2-hop problems") == measure.values
    found = facts.aggregates[0].arms[1].estimate
    assert isinstance(found, Estimate)
    assert (means[1].y, means[1].low, means[1].high) == ((found.value,), (found.low,), (found.high,))
    assert all(panel.y.low < y < panel.y.high for mark in panel.points for y in (*mark.y, *mark.low, *mark.high))


def no_problems(tree: dict[str, Any]) -> dict[str, Any]:
    tree["base"]["evaluate"]["problems"] = 0
    return tree


@pytest.mark.parametrize(
    ("study", "told"),
    [
        ({"tree": no_problems(study_tree()), "hops": ()}, "this scale evaluates no problems (evaluate.problems: 0)"),
        ({"hops": (1, 2)}, "no run has accuracy.hops_4"),
    ],
)
def test_a_scale_without_the_metrics_says_why(make_study: MakeStudy, study: dict[str, Any], told: str) -> None:
    facts = build_facts(make_study(**study))
    assert aggregate_figure(facts) is None
    table = aggregate_table(facts)
    assert table is not None
    assert table.notes == (f"– Exact answers over tasks: {told}",)
    assert csv_files(sections(facts))["aggregates.csv"].splitlines()[1].endswith(told)
    assert "## Aggregates over tasks" in render_markdown(facts, sections(facts))


def test_one_seed_shows_its_scores_without_a_mean(make_study: MakeStudy) -> None:
    facts = build_facts(make_study(seeds=(1,)))
    figure, table = aggregate_figure(facts), aggregate_table(facts)
    assert figure is not None and table is not None
    assert not any(mark.hollow for mark in figure.panels[0].points)
    assert table.notes[0] == "– 1 layer: task accuracy.hops_1: needs 2 seeds, has 1"


def test_a_study_without_aggregates_has_no_such_part(make_study: MakeStudy) -> None:
    tree = study_tree()
    del tree["aggregates"]
    facts = build_facts(make_study(tree=tree))
    assert (aggregate_table(facts), aggregate_figure(facts)) == (None, None)
    assert "Aggregates" not in render_markdown(facts, sections(facts))
