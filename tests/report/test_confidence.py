"""No interval is printed without its confidence level: on the terminal, in Markdown, HTML and CSV."""

import csv
import re

import pytest

from stacklab.report.drawing.csv import figure_csv
from stacklab.report.facts.build import Facts, build_facts
from stacklab.report.pages.markdown import render_markdown
from stacklab.report.pages.write import render_html
from stacklab.report.sections.claims.forest_plot import draw_forest, forest_groups
from stacklab.report.sections.registry import csv_files, figures, sections
from stacklab.study.results.results import StudyResult
from tests.report.conftest import MakeStudy, study_tree
from tests.report.pages.test_terminal import printed

ENDS = re.compile(r"(\S+ CI )?\\?\[[−+-]?\d[^\[\]]*, [−+-]?\d[^\[\]]*\]")
"""Two numbers in brackets, and what stands before them."""


@pytest.fixture
def result(make_study: MakeStudy) -> StudyResult:
    """One claim at a level of its own, all others at 0.05."""
    tree = study_tree()
    tree["claims"][0]["level"] = 0.1
    return make_study(tree=tree, seeds=(1, 2, 3, 4))


@pytest.fixture
def facts(result: StudyResult) -> Facts:
    return build_facts(result)


def before(text: str) -> set[str]:
    """What stands before the intervals of a text."""
    found = [match.group(1) for match in ENDS.finditer(" ".join(text.replace("\\", "").split()))]
    assert found, "there are intervals"
    return set(found)


@pytest.mark.parametrize("width", [80, 200])
def test_on_the_terminal(result: StudyResult, width: int) -> None:
    assert before(printed(result, width)) == {"95% CI ", "90% CI "}


def test_in_markdown_and_on_the_page(facts: Facts) -> None:
    markdown, html = render_markdown(facts, sections(facts)), render_html(facts, sections(facts))
    for title, levels in (("Verdicts", {"95% CI ", "90% CI "}), ("Reported beside reproduced", {"95% CI "})):
        assert before(markdown.partition(f"## {title}")[2].partition("\n## ")[0]) == levels
    assert before(html.partition("<h2>Verdicts")[2].partition("</section>")[0]) == {"95% CI ", "90% CI "}
    assert "mean ± 95% CI" in markdown and "mean ± 95% CI" in html
    assert "CI" in markdown.partition("Interquartile means")[0].rpartition("scores")[0], "of the aggregates"


@pytest.mark.parametrize("name", ["claims", "control", "headline", "aggregates", "reported"])
def test_in_every_csv_file_with_ends(facts: Facts, name: str) -> None:
    rows = list(csv.DictReader(csv_files(sections(facts))[f"{name}.csv"].splitlines()))
    ends = [head for head in rows[0] if head == "low" or head.endswith("_low")]
    ends = [head for head in ends if head != "compute_times_low"]  # From the lowest to the highest seed: no interval.
    assert ends
    for row in rows:
        for head in ends:
            level = row[f"{head.removesuffix('low')}confidence"]
            assert bool(level) == bool(row[head])
            assert not level or 0.9 <= float(level) < 1


def test_in_the_data_of_the_figures(facts: Facts) -> None:
    made = figures(sections(facts))
    for name in ("costs", "accuracy", "aggregates", "power"):
        rows = [row for row in csv.DictReader(figure_csv(made[name]).splitlines()) if row["low"] != row["high"]]
        assert rows and {row["confidence"] for row in rows} <= {"0.95", "0.9"}, name
    bands = csv.DictReader(figure_csv(made["curves"]).splitlines())
    assert {row["confidence"] for row in bands} == {""}, "from the lowest to the highest seed: no interval"
    titles = [axes.get_title(loc="left") or axes.get_title() for axes in draw_forest(forest_groups(facts)).axes]
    assert ["90% CI" in title for title in titles] == [True, False, False, False]
    assert all("95% CI" in title for title in titles[1:])


def test_every_p_value_stands_beside_the_level_that_it_is_compared_with(facts: Facts) -> None:
    rows = list(csv.DictReader(csv_files(sections(facts))["control.csv"].splitlines()))
    assert {row["metric"]: row["level"] for row in rows} == {
        "train_probe.loss": "0.1",
        "validation.loss": "0.05",
        "validation.best_loss": "0.05",
        "accuracy": "0.05",
    }
    markdown = render_markdown(facts, sections(facts))
    assert markdown.count("with which p is compared") == 2
