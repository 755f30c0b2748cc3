from stacklab.report.drawing.csv import figure_csv
from stacklab.report.drawing.matplotlib import draw
from stacklab.report.drawing.plotly import plotly_panel
from stacklab.report.facts.build import Facts, build_facts
from stacklab.report.sections.grid.grid import grid, maps, steps_to_solve
from stacklab.report.sections.grid.tables import cell_table, threshold_table
from stacklab.report.sections.registry import csv_files, sections
from stacklab.run.metrics import describe
from stacklab.study.results.cell import Cell, SeedOutcome
from stacklab.study.results.cells import Threshold
from tests.report.conftest import MakeStudy, gridded_tree


def grown(make_study: MakeStudy) -> Facts:
    """The facts with cells of known outcomes: one layer guesses, twelve solve with two seeds of three."""
    facts = build_facts(make_study(tree=gridded_tree()))
    names = [f"layers-{n}-heads-{h}@tuned" for n in (1, 12) for h in (2, 4)]
    assert [cell.arm for cell in facts.cells] == names, "a tuned arm stands in its cell at its own best rate"

    def known(cell: Cell) -> Cell:
        deep = cell.at["layers"] == "12"
        steps = (250, 500, None) if deep else (None,) * 3
        outcomes = [SeedOutcome(seed=s, final=0.99 if n else 0.2, steps=n, trained=600) for s, n in enumerate(steps)]
        update = {"outcomes": tuple(outcomes), "verdict": "solved" if deep else "at baseline", "baseline": 0.25}
        other = {"learning_rate": 5e-4, "outcomes": tuple(outcomes[2:]), "verdict": "at baseline", "arm": "again"}
        others = () if deep else (cell.model_copy(update=other),)
        return cell.model_copy(update=update | {"others": others})

    return facts.model_copy(update={"cells": tuple(known(cell) for cell in facts.cells)})


def test_a_map_has_a_square_for_every_cell_and_frames_the_solved(make_study: MakeStudy) -> None:
    figure = maps(grown(make_study))
    assert figure is not None
    (panel,) = figure.panels
    squares = [mark for mark in panel.points if not mark.hollow]
    assert {(mark.x, mark.y) for mark in squares} == {((x,), (y,)) for x in (0.0, 1.0) for y in (0.0, 1.0)}
    assert {mark.y for mark in panel.points if mark.hollow} == {(1.0,)}
    assert {(mark.y, mark.labels) for mark in squares} == {((0.0,), ("0.20",)), ((1.0,), ("0.73",))}
    assert len({mark.color for mark in squares}) == len({mark.label_color for mark in squares}) == 2
    assert (panel.x.labels, panel.y.labels) == (("2", "4"), ("1", "12"))
    (axes, *_) = draw(figure).axes
    for side, names in ((axes.xaxis, ["2", "4"]), (axes.yaxis, ["1", "12"])):
        assert [tick.get_text() for tick in side.get_ticklabels()] == names, "and not the numbers of the places"
    assert plotly_panel(panel)["layout"]["xaxis"]["ticktext"] == ["2", "4"]


def test_texts_name_the_metric_by_its_title(make_study: MakeStudy) -> None:
    facts = grown(make_study)
    section, figure = grid(facts), maps(facts)
    assert facts.grid and section.lead and figure
    for text in (section.lead, figure.caption):
        assert describe(facts.grid.metric).title in text and facts.grid.metric not in text


def test_steps_are_of_the_seeds_that_solved(make_study: MakeStudy) -> None:
    figure = steps_to_solve(grown(make_study))
    assert figure is not None
    (panel,) = figure.panels
    assert [mark.y for mark in panel.points] == [(250.0, 500.0)] * 2
    assert [line.y for line in panel.lines] == [(375.0,)] * 2
    unsolved = build_facts(make_study(tree=gridded_tree()))
    assert steps_to_solve(unsolved) is None


def test_tables_name_seeds_and_thresholds(make_study: MakeStudy) -> None:
    facts = grown(make_study)
    cells = cell_table(facts)
    assert cells is not None
    assert [cell.text for cell in cells.rows[2][2:6]] == ["✓ solved", "0.727", "0.990, 0.990, 0.200", "250, 500, –"]
    assert [row[7].text for row in cells.rows] == ["0.0005: 0.200"] * 2 + ["–"] * 2
    found = Threshold(at={"heads": "2"}, depth=None, solved=(("1", 0, 3), ("12", 1, 3)))
    told = threshold_table(facts.model_copy(update={"thresholds": (found,)}))
    assert told is not None
    assert [cell.text for cell in told.rows[0]] == ["2", "none of these", "12", "1: 0 of 3, 12: 1 of 3"]


def test_cells_are_rows_with_their_seeds(make_study: MakeStudy) -> None:
    lines = csv_files(sections(grown(make_study)))["cells.csv"].splitlines()
    assert lines[0] == "arm,layers,heads,learning_rate,shown,verdict,reason,guessing,seed,final,steps_to_solve,trained"
    assert len(lines) == 1 + 4 * 3 + 2
    assert lines[-1].startswith("layers-12-heads-4@tuned,12,4,0.002,True,solved,")
    assert lines[-1].endswith(",0.25,2,0.2,,600")
    assert sum(line.startswith("again,1,") and ",0.0005,False,at baseline," in line for line in lines) == 2


def test_a_prediction_is_a_line_through_the_columns_and_a_column_of_the_table(make_study: MakeStudy) -> None:
    facts = grown(make_study)
    assert facts.grid is not None
    depths = [{"at": {"heads": "2"}, "depth": "12"}, {"at": {"heads": "4"}, "depth": "1"}, {"at": {}, "depth": "no"}]
    grid = facts.grid.model_validate(facts.grid.dump() | {"predicted": {"label": "more heads", "depths": depths}})
    found = Threshold(at={"heads": "2"}, depth=None, solved=(("1", 0, 3),))
    facts = facts.model_copy(update={"grid": grid, "thresholds": (found,)})
    figure, table = maps(facts), threshold_table(facts)
    assert figure is not None and table is not None
    (line,) = figure.panels[0].over
    assert (line.x, line.y) == ((-0.45, 0.45, 0.55, 1.45), (0.55, 0.55, -0.45, -0.45)), (
        "seen beside the squares of one column too"
    )
    assert "0,predicted" not in (text := figure_csv(figure)) and ",predicted,line,2,12,," in text
    assert "more heads" in figure.caption
    assert [cell.text for cell in table.rows[0]] == ["2", "none of these", "12", "1: 0 of 3"]


def test_an_axis_of_metrics_makes_cells_and_no_arms(make_study: MakeStudy) -> None:
    tree = gridded_tree()
    tree["grid"]["axes"]["split"] = {"metric": "{}.loss", "values": ["train_probe", "validation"]}
    result = make_study(tree=tree)
    facts = build_facts(result)
    assert len(facts.cells) == 8 and len({cell.arm for cell in facts.cells}) == 4
    values = {cell.at["split"]: cell.outcomes[0].final for cell in facts.cells if cell.arm == facts.cells[0].arm}
    row = next(row for row in result.rows if (row.arm, row.seed) == (facts.cells[0].arm, 1))
    assert values == {name: row.metrics[f"{name}.loss"] for name in ("train_probe", "validation")}


def test_a_metric_that_no_run_has_makes_its_cells_invalid(make_study: MakeStudy) -> None:
    tree = gridded_tree()
    tree["grid"]["axes"]["split"] = {"metric": "validation.{}", "values": ["loss", "accuracy.absent"]}
    cells = build_facts(make_study(tree=tree)).cells
    absent = [cell for cell in cells if cell.at["split"] == "accuracy.absent"]
    assert len(absent) == 4 and {(one.verdict, one.reason) for one in absent} == {
        ("invalid", "its runs do not measure validation.accuracy.absent")
    }
    assert "invalid" not in {cell.verdict for cell in cells if cell.at["split"] == "loss"}


def test_a_study_without_a_grid_has_none_of_it(make_study: MakeStudy) -> None:
    facts = build_facts(make_study())
    assert (maps(facts), steps_to_solve(facts), cell_table(facts), threshold_table(facts)) == (None,) * 4
