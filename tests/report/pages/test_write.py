"""The folder of a report."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest

from stacklab.base.errors import DiskError
from stacklab.base.files import read_json, read_jsonl
from stacklab.report.drawing.matplotlib import draw, render
from stacklab.report.facts.build import Facts, build_facts
from stacklab.report.format.verdicts import reason_text
from stacklab.report.pages.write import write_report
from stacklab.report.sections.claims.forest_plot import draw_forest, forest_groups
from stacklab.report.sections.registry import figures, sections
from stacklab.run.paths import OutPaths
from tests.report.conftest import MakeStudy, study_tree

NO_TORCH = """
import sys
from pathlib import Path
from stacklab.report.pages.terminal import verdict_table
from stacklab.report.pages.write import write_report
from stacklab.study.results.results import open_results
result = open_results(Path(sys.argv[1]))
write_report(result)
verdict_table(result)
print(sorted({"torch", "datasets", "transformers", "matplotlib.pyplot"} & set(sys.modules)))
"""


def test_a_report_is_written_whole_and_without_torch(make_study: MakeStudy) -> None:
    result = make_study(outcomes={("wide-1-parameters", 2): "diverged"})
    command = [sys.executable, "-W", "error", "-c", NO_TORCH, str(result.folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
    folder = result.folder / "report"
    written = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    pictures = {f"figures/{name}.{kind}" for name in PICTURES for kind in ("png", "svg")}
    tables = {f"tables/{name}.csv" for name in TABLES}
    data = {f"figures/{name}.csv" for name in PICTURES if name != "claims"}
    texts = {"index.html", "report.md", "summary.txt", "facts.json", "facts.schema.json"}
    assert (folder / "summary.txt").read_text() == f"{result.summary}\n"
    assert written == texts | pictures | data | tables
    schema = read_json(folder / "facts.schema.json")
    assert set(schema["required"]) <= set(read_json(folder / "facts.json")) <= set(schema["properties"])
    assert "arm minus against" in schema["$defs"]["ContrastFact"]["description"]
    assert Facts.model_validate(read_json(folder / "facts.json")) == build_facts(result)


PICTURES = ("claims", "curves", "overlay", "costs", "accuracy", "aggregates")
TABLES = (
    "claims",
    "control",
    "aggregates",
    "pairs",
    "headline",
    "runs",
    "ledger",
    "training_log",
    "reported",
    "tuning",
    "cells",
)


def test_a_second_report_leaves_no_picture_of_the_first(make_study: MakeStudy) -> None:
    result = make_study(seeds=(1,))
    paths = write_report(result)
    assert (paths.figures / "accuracy.png").exists()
    for row in result.rows:
        OutPaths(result.out).run(row.run_id).result.unlink()
    from stacklab.study.results.results import open_results

    write_report(open_results(result.folder))
    assert (paths.figures / "curves.png").exists()
    assert not (paths.figures / "accuracy.png").exists()


@pytest.mark.parametrize("seeds", [(1,), (1, 2, 3)])
def test_a_study_of_which_every_run_diverged_has_a_report(make_study: MakeStudy, seeds: tuple[int, ...]) -> None:
    outcomes = {(arm, seed): "diverged" for arm in ("layers-1", "layers-12", "wide-1-parameters") for seed in seeds}
    result = make_study(seeds=seeds, outcomes=outcomes)
    assert {claim.verdict for claim in result.claims} == {"invalid"}
    assert "layers-12 seed 1: diverged (the training loss became nan at step 41)" in reason_text(result.claims[0])
    paths = write_report(result)
    text = paths.markdown.read_text(encoding="utf-8")
    assert f"**{3 * len(seeds)} of {3 * len(seeds)} runs did not finish.**" in text
    assert "no run has finished" in text, "said of the aggregate"
    rows = list(csv.DictReader((paths.tables / "claims.csv").read_text(encoding="utf-8").splitlines()))
    assert {row["verdict"] for row in rows} == {"invalid"}
    assert all("diverged" in row["reason"] for row in rows)
    assert (paths.html.exists(), (paths.figures / "curves.png").exists()) == (True, True)


def test_a_study_of_one_seed_has_a_report_that_settles_nothing(make_study: MakeStudy) -> None:
    result = make_study(seeds=(4,))
    assert {(claim.verdict, reason_text(claim)) for claim in result.claims} == {
        ("inconclusive", "needs 2 pairs, has 1")
    }
    text = write_report(result).markdown.read_text(encoding="utf-8")
    assert "8 inconclusive" in text
    assert "One seed: there is no interval" in text
    assert "task accuracy.hops\\_1: needs 2 seeds, has 1" in text


def test_csv_files_hold_all_digits(make_study: MakeStudy) -> None:
    result = make_study()
    tables = write_report(result).tables
    rows = list(csv.DictReader((tables / "runs.csv").read_text(encoding="utf-8").splitlines()))
    assert len(rows) == 9
    assert float(rows[0]["validation.loss"]) == result.rows[0].metrics["validation.loss"]
    logged = list(csv.DictReader((tables / "training_log.csv").read_text(encoding="utf-8").splitlines()))
    evals = read_jsonl(OutPaths(result.out).run(result.rows[0].run_id).evals)
    assert len(logged) == 9 * len(evals)
    assert float(logged[1]["validation_loss"]) == evals[1]["validation.loss"]
    headline = list(csv.DictReader((tables / "headline.csv").read_text(encoding="utf-8").splitlines()))
    assert {row["undefined"] for row in headline if row["n"] == "3"} == {""}


def test_the_same_facts_give_the_same_pictures(make_study: MakeStudy) -> None:
    facts = build_facts(make_study(seeds=(1, 2)))
    figure = figures(sections(facts))["curves"]
    assert render(draw(figure), "svg") == render(draw(figure), "svg")
    groups = forest_groups(facts)
    assert render(draw_forest(groups), "png") == render(draw_forest(groups), "png")


def test_pictures_bear_labels_that_matplotlib_reads_otherwise(make_study: MakeStudy) -> None:
    tree = study_tree()
    labels = ("costs $1 or $", "_hidden", "一層 🙂", "a\nb", "x" * 200)
    tree["arms"] = {
        name: arm | {"label": labels[index % len(labels)]} for index, (name, arm) in enumerate(tree["arms"].items())
    }
    tree["scales"]["smoke"]["arms"] = None
    facts = build_facts(make_study(tree=tree, seeds=(1,)))
    svg = render(draw(figures(sections(facts))["overlay"]), "svg").decode()
    assert svg.count("_hidden") >= 1, "an underscore does not hide an arm from the legend"
    render(draw_forest(forest_groups(facts)), "svg")


def test_a_link_inside_a_study_folder_is_not_followed(make_study: MakeStudy, tmp_path: Path) -> None:
    result = make_study()
    own = tmp_path / "photographs"
    own.mkdir()
    (own / "owl.png").write_text("precious")
    report = result.folder / "report"
    report.mkdir(parents=True, exist_ok=True)
    (report / "figures").symlink_to(own)
    with pytest.raises(DiskError, match="figures: is a link, which is not written through"):
        write_report(result)
    assert [path.name for path in own.iterdir()] == ["owl.png"]
