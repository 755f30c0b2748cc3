"""A comparison whose arms see other batches is called unpaired wherever it stands."""

import csv
import re
from typing import Any

import pytest
from rich.console import Console

from stacklab.report.facts.build import build_facts
from stacklab.report.format.verdicts import reason_text
from stacklab.report.pages.markdown import render_markdown
from stacklab.report.pages.terminal import verdict_table
from stacklab.report.pages.write import render_html, write_report
from stacklab.report.sections.claims.forest_plot import draw_forest, forest_groups
from stacklab.report.sections.registry import figures, sections
from stacklab.stats.result import Estimate
from stacklab.study.results.results import StudyResult
from tests.report.conftest import MakeStudy, study_tree


def longer() -> dict[str, Any]:
    """Depth, and the same depth trained for longer: one claim on each."""
    tree = study_tree()
    tree["knobs"] = ["model.num_layers", "train.steps"]
    tree["arms"] = {
        "base": {"label": "12 layers"},
        "short": {"label": "12 layers, half as long", "change": {"train.steps": 40}},
        "shallow": {"label": "1 layer", "change": {"model.num_layers": 1}},
    }
    claim = {"metric": "validation.loss", "arm": "base", "direction": "lower"}
    tree["claims"] = [
        claim | {"id": "depth", "statement": "{arm} beat {against}", "against": ["shallow"]},
        claim | {"id": "length", "statement": "{arm} beat {against}", "against": ["short"]},
        {
            "id": "tied",
            "statement": "{arm} equal {against}",
            "metric": "train.last_batch_loss",
            "arm": "base",
            "against": ["short"],
            "direction": "equivalent",
            "margin": 3.0,
        },
    ]
    tree |= {"control": None, "source": None}
    tree["scales"] = {"smoke": {"description": "tiny", "expected_time": "a minute", "seeds": [1, 2, 3]}}
    return tree


@pytest.fixture
def result(make_study: MakeStudy) -> StudyResult:
    return make_study(tree=longer())


def test_the_facts_tell_the_pairs_from_the_groups(result: StudyResult) -> None:
    depth, length, tied = build_facts(result).contrasts
    assert [one.pairing for one in (depth, length, tied)] == ["paired", "unpaired", "unpaired"]
    assert all(pair.difference == pair.arm - pair.against for pair in depth.pairs)
    assert [pair.difference for pair in length.pairs] == [None] * 3
    assert isinstance(length.difference, Estimate) and length.difference.method == "Welch, unpaired"
    assert any("Unpaired, since" in limit and "below 0.1." in limit for limit in build_facts(result).limits)


def test_every_page_and_table_says_so(result: StudyResult) -> None:
    facts = build_facts(result)
    html, markdown = render_html(facts, sections(facts)), render_markdown(facts, sections(facts))
    assert "the unpaired interval includes 0; " in html
    assert html.count("3 against 3 runs, unpaired") == 2
    assert html.count(", 3 pairs<") == 1
    assert re.search(r"12 layers equal 12 layers, half as long.*(the 90% unpaired|the unpaired) interval", html, re.S)
    assert "3 against 3 runs, unpaired" in markdown
    assert "12 layers beat 12 layers, half as long (unpaired)" in markdown
    assert "–: the runs are not paired" in markdown
    console = Console(width=120, record=True)
    with console.capture() as captured:
        console.print(verdict_table(result))
    told = " ".join(captured.get().split())
    assert "the unpaired interval includes 0; " in told
    assert "paired by seed but for 2 whose arms differ in a setting that changes the batches: unpaired" in told


def test_the_strips_show_every_run_of_both_arms_about_the_difference(result: StudyResult) -> None:
    facts = build_facts(result)
    paired, unpaired = (group.rows[0] for group in forest_groups(facts)[:2])
    assert (len(paired.dots), len(unpaired.dots)) == (3, 6)
    assert isinstance(unpaired.contrast.difference, Estimate)
    middle = sum(dot.place for dot in unpaired.dots) / 6
    assert middle == pytest.approx(unpaired.contrast.difference.value)
    assert unpaired.name == "12 layers − 12 layers, half as long (unpaired)"
    drawn = draw_forest(forest_groups(facts))
    labels = [label.get_text() for axes in drawn.axes for label in axes.get_yticklabels()]
    assert sum("(unpaired)" in label for label in labels) == 2


def test_the_power_of_groups_is_called_unpaired(make_study: MakeStudy) -> None:
    facts = build_facts(make_study(tree=longer(), seeds=(1, 2, 3, 4)))
    (power,) = (panel for panel in figures(sections(facts))["power"].panels if panel.title == "length")
    assert power.lines[-1].name == "against 12 layers, half as long (unpaired)"


def test_the_csv_files_say_so(result: StudyResult) -> None:
    tables = write_report(result).tables
    claims = list(csv.DictReader((tables / "claims.csv").read_text(encoding="utf-8").splitlines()))
    assert [row["pairing"] for row in claims] == ["paired", "unpaired", "unpaired"]
    assert [bool(row["correlation"]) for row in claims] == [False] * 3
    assert float(claims[1]["permutation"]) == 1.0, "the same six numbers, but for noise"
    pairs = list(csv.DictReader((tables / "pairs.csv").read_text(encoding="utf-8").splitlines()))
    assert {(row["pairing"], bool(row["difference"])) for row in pairs} == {("paired", True), ("unpaired", False)}


def test_one_seed_is_inconclusive_with_the_reason(make_study: MakeStudy) -> None:
    claims = make_study(tree=longer(), seeds=(1,)).claims
    assert {claim.verdict for claim in claims} == {"inconclusive"}
    assert reason_text(claims[1]) == "the arm needs 2 values, has 1"
