from stacklab.report.facts.build import build_facts
from stacklab.report.pages.markdown import render_markdown
from stacklab.report.pages.write import render_html
from stacklab.report.sections.ledger import ledger, ledger_table
from stacklab.report.sections.registry import sections
from stacklab.run.paths import OutPaths
from stacklab.study.results.ledger.entry import FILE
from stacklab.study.results.results import open_results
from tests.report.conftest import MakeStudy, tuned_tree


def test_every_entry_is_a_row(make_study: MakeStudy) -> None:
    facts = build_facts(make_study(tree=tuned_tree(steps=12, every=6)))
    rows = [[cell.text for cell in row] for row in ledger_table(facts).rows]
    assert len(rows) == 2 * 8, "every comparison, at the shared rate and tuned"
    assert rows[0][1:] == [
        "train-probe:layers-1",
        "claim entered: metric train_probe.loss, direction lower, level 0.05, seeds 1, 2, 3",
        "0",
        "0.1.0",
    ]
    assert facts.remarks == ()
    assert "16 of 16 comparisons stand as they were entered" in str(ledger(facts).lead)


def test_remarks_stand_before_the_verdicts_of_both_pages(make_study: MakeStudy) -> None:
    result = make_study()
    (result.folder / FILE).unlink()
    row = next(row for row in result.rows if (row.arm, row.seed) == ("layers-1", 2))
    OutPaths(result.out).run(row.run_id).evals.write_text('{"step":0}\n')
    facts = build_facts(open_results(result.folder))
    made = sections(facts)
    html, text = render_html(facts, made), render_markdown(facts, made).replace("\\", "")
    for page, verdicts in ((html, 'id="verdicts"'), (text, "## Verdicts")):
        first = page[: page.index(verdicts)]
        assert "Before reading the verdicts:" in first
        assert "train-probe:layers-1: claim not in the ledger" in first
        assert f"{row.run_id}: the folder of layers-1 seed 2 was copied or edited: evals.jsonl is not the one" in first
        assert "did not finish" not in first, "an altered run is named as such"
    assert "0 of 8 comparisons stand as they were entered" in str(ledger(facts).lead)
