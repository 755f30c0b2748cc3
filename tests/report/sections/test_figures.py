"""Figures are data: looked at here without drawing anything."""

import csv

import pytest

from stacklab.report.drawing.csv import figure_csv
from stacklab.report.drawing.figure import CUT, Axis, Figure, Line, Panel, decade_ticks, round_ticks, spanning_counts
from stacklab.report.drawing.matplotlib import draw
from stacklab.report.drawing.plotly import plotly_panel
from stacklab.report.facts.build import build_facts
from stacklab.report.format.palette import color_of, symbol_of
from stacklab.report.sections.claims.forest_plot import forest_groups
from stacklab.report.sections.registry import figures, sections
from stacklab.stats.power import difference_power, paired_design
from stacklab.stats.result import Estimate, Needed
from tests.report.conftest import MakeStudy, gridded_tree, study_tree
from tests.report.test_unpaired import longer


def test_curves_show_every_seed_on_shared_axes(make_study: MakeStudy) -> None:
    facts = build_facts(make_study())
    curves = figures(sections(facts))["curves"]
    assert [panel.title for panel in curves.panels] == ["1 layer", "12 layers", "1 layer, equal parameters"]
    assert len({(panel.x, panel.y) for panel in curves.panels}) == 1
    panel = curves.panels[1]
    assert {line.color for line in panel.lines} == {color_of(facts.arm("layers-12"))}
    validation = [line for line in panel.lines if line.name == "seed 3, validation"]
    assert validation[0].y == tuple(row.validation for row in facts.runs_of("layers-12")[2].log)
    assert len(panel.lines) == 3 * 3
    assert len(panel.bands) == 2
    run = facts.runs_of("layers-12")[0]
    assert (panel.points[0].x, panel.points[0].y) == ((run.best_step,), (run.best_loss,))


def test_a_band_spans_the_finished_seeds_only(make_study: MakeStudy) -> None:
    facts = build_facts(make_study(outcomes={("layers-12", 3): "diverged"}))
    curves = figures(sections(facts))["curves"]
    band = curves.panels[1].bands[0]
    values = [[row.validation for row in run.log] for run in facts.runs_of("layers-12")[:2]]
    assert band.low == tuple(min(pair) for pair in zip(*values, strict=True))
    assert band.high == tuple(max(pair) for pair in zip(*values, strict=True))
    ended = [mark for mark in curves.panels[1].points if mark.symbol == "x"]
    assert [mark.name for mark in ended] == ["seed 3, diverged"]
    assert "ended early" in [key.label for key in curves.keys]


def test_one_seed_has_lines_but_no_bands(make_study: MakeStudy) -> None:
    drawn = figures(sections(build_facts(make_study(seeds=(1,)))))
    assert all(not panel.bands for panel in (*drawn["curves"].panels, *drawn["overlay"].panels))
    assert all(len(panel.lines) == 3 for panel in drawn["overlay"].panels)


def test_an_arm_keeps_its_colour_and_marker_at_every_scale(make_study: MakeStudy, tmp_path) -> None:  # type: ignore[no-untyped-def]
    smoke = {arm.name: (color_of(arm), symbol_of(arm)) for arm in build_facts(make_study()).arms}
    laptop = build_facts(make_study(scale="laptop", seeds=(1,), out=tmp_path / "other"))
    everywhere = {arm.name: (color_of(arm), symbol_of(arm)) for arm in laptop.arms}
    assert smoke.items() <= everywhere.items()
    assert len({color for color, _ in everywhere.values()}) == 7
    assert len({symbol for _, symbol in everywhere.values()}) == 7


def test_costs_place_each_seed_and_the_mean(make_study: MakeStudy) -> None:
    facts = build_facts(make_study())
    panels = {panel.title: panel for panel in figures(sections(facts))["costs"].panels}
    assert len(panels) == 6
    mean, seeds = panels["validation by total parameters"].points[2:4]
    arm = facts.arm("layers-12")
    assert seeds.x == (float(arm.total_parameters),) * 3
    found = arm.measure("validation.loss")
    assert found is not None
    assert seeds.y == found.values
    assert mean.y == (found.mean,)
    assert mean.low < mean.y < mean.high
    times = panels["train probe by training time"].points[3]
    assert times.x == tuple(run.timing["train_seconds"] for run in facts.runs_of("layers-12"))


def test_without_problems_there_is_no_accuracy_figure(make_study: MakeStudy) -> None:
    facts = build_facts(make_study(hops=()))
    assert "accuracy" not in figures(sections(facts))
    assert len(facts.not_asked) > 4, "the accuracy claims are told as not asked"


def test_without_any_run_there_are_no_figures(make_study: MakeStudy) -> None:
    arms = ("layers-1", "layers-12", "wide-1-parameters")
    nothing = {(arm, seed): "missing" for arm in arms for seed in (1, 2, 3)}
    assert figures(sections(build_facts(make_study(outcomes=nothing)))) == {}


def test_strips_of_a_claim_share_an_axis_that_holds_zero_margin_and_dots(make_study: MakeStudy) -> None:
    groups = {group.claim: group for group in forest_groups(build_facts(make_study()))}
    tied = groups["best-validation-tied"]
    assert tied.margin == 0.05
    assert [strip.contrast.against for strip in tied.rows] == ["layers-1", "wide-1-parameters"]
    inside = [0.0, -0.05, 0.05, *(dot.place for strip in tied.rows for dot in strip.dots)]
    assert all(0 < tied.place(value) < 100 for value in inside)
    pair = tied.rows[0].contrast.pairs[0]
    assert tied.rows[0].dots[0].place == pair.arm - pair.against


def test_a_huge_t_interval_is_cut_and_not_allowed_to_flatten_the_dots(make_study: MakeStudy) -> None:
    group = forest_groups(build_facts(make_study(tree=study_tree(), seeds=(1, 2))))[0]
    firsts = [strip.dots[0].place for strip in group.rows]
    reach = max(abs(dot.place) for strip in group.rows for dot in strip.dots)
    assert group.high - group.low < 5 * max(max(firsts) - min(firsts), reach)
    assert group.place(1e9) == 100.0
    assert group.beyond(1e9)


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (-0.31, 0.12, (-0.3, -0.2, -0.1, 0.0, 0.1)),
        (0.0, 7.0, (0.0, 2.0, 4.0, 6.0)),
        (1e-9, 2.2e-9, (1e-9, 1.5e-9, 2e-9)),
    ],
)
def test_ticks_are_round(low: float, high: float, ticks: tuple[float, ...]) -> None:
    assert round_ticks(low, high) == pytest.approx(ticks)


def test_wide_spans_of_costs_are_logarithmic() -> None:
    assert spanning_counts("n", [100.0, 200.0]).log is False
    axis = spanning_counts("n", [100.0, 1000.0])
    assert axis.log
    assert axis.ticks == (100.0, 200.0, 500.0, 1000.0)
    assert decade_ticks(3.0, 2e5) == (10.0, 100.0, 1000.0, 10000.0, 100000.0)
    assert spanning_counts("n", [0.0, 5.0]) == Axis("n", pytest.approx(-0.3), pytest.approx(5.3))  # type: ignore[arg-type]


def test_power_grows_with_seeds_and_an_equivalence_has_none(make_study: MakeStudy) -> None:
    facts = build_facts(make_study(seeds=(1, 2, 3, 4, 5)))
    figure = figures(sections(facts))["power"]
    assert [panel.title for panel in figure.panels] == ["train-probe", "validation", "accuracy"]
    (contrast,) = (one for one in facts.contrasts if one.id == "train-probe:layers-1")
    (line,) = (one for one in figure.panels[0].lines if one.name == "against 1 layer")
    assert list(line.y) == sorted(line.y)
    assert isinstance(contrast.evidence.effect, Estimate)
    assert line.y[1] == difference_power(contrast.evidence.effect.value, paired_design(3), level=0.05)


def test_the_band_of_the_power_crosses_at_the_seeds_that_the_text_names(make_study: MakeStudy) -> None:
    facts = build_facts(make_study(tree=longer(), seeds=(1, 2, 3, 4, 5)))
    panels = {panel.title: panel for panel in figures(sections(facts))["power"].panels}
    named = [one for one in facts.contrasts if isinstance(one.seeds_needed, Needed) and one.claim.margin is None]
    assert named, "a claim is inconclusive and names the number of seeds below which none would suffice"
    for contrast in named:
        panel, needed = panels[contrast.claim.id], contrast.seeds_needed
        assert isinstance(needed, Needed)
        band = panel.bands[[one for one in facts.contrasts if one.claim.id == contrast.claim.id].index(contrast)]
        crossed = next(x for x, y in zip(band.x, band.high, strict=True) if y >= contrast.claim.power)
        assert (crossed, band.confidence) == (needed.fewest, 0.95)
        assert needed.most is None and max(band.low) == pytest.approx(0.05, abs=1e-5), "the effect may be 0"


def test_three_seeds_draw_no_power(make_study: MakeStudy) -> None:
    assert "power" not in figures(sections(build_facts(make_study())))


def test_what_is_drawn_is_in_the_csv(make_study: MakeStudy) -> None:
    for figure in figures(sections(build_facts(make_study()))).values():
        rows = list(csv.DictReader(figure_csv(figure).splitlines()))
        drawn = [len(part.x) for panel in figure.panels for part in (*panel.lines, *panel.points, *panel.bands)]
        assert len(rows) == sum(drawn)
        panel = figure.panels[0]
        first = panel.lines[0] if panel.lines else panel.points[0]
        assert (rows[0]["series"], float(rows[0]["x"]), float(rows[0]["y"])) == (first.name, first.x[0], first.y[0])


def test_curves_are_drawn_over_epochs_where_the_study_states_them(make_study: MakeStudy, tmp_path) -> None:  # type: ignore[no-untyped-def]
    stated = figures(sections(build_facts(make_study(out=tmp_path / "steps"))))
    assert "Step 80 is 0.78 epochs of the training text." in stated["curves"].caption, "80 x 8 x 128 of 104,960 tokens"
    assert stated["curves"].panels[0].x.title == stated["overlay"].panels[0].x.title == "training step"
    tree = study_tree()
    del tree["base"]["train"]["steps"]
    tree["base"]["train"]["epochs"] = 1.5
    facts = build_facts(make_study(tree=tree))
    for figure in (figures(sections(facts))["curves"], figures(sections(facts))["overlay"]):
        assert "Step" not in figure.caption
        for panel in figure.panels:
            assert panel.x.title == "epochs of the training text"
            assert all(part.x[-1] == pytest.approx(1.5) for part in (*panel.bands, *panel.lines))
    tree["knobs"] += ["train.batch_size", "train.steps"]
    tree["arms"]["layers-1"]["change"]["train.batch_size"] = 4
    assert figures(sections(build_facts(make_study(tree=tree))))["curves"].panels[0].x.title == "training step"


def marked(figure: Figure) -> list[bool]:
    """By panel: whether its vertical axis says that it leaves zero out, in both renderers alike, and no other does."""
    found = []
    for panel, axes in zip(figure.panels, draw(figure).axes, strict=False):
        layout = plotly_panel(panel)["layout"]
        assert CUT not in axes.get_xlabel() + layout["xaxis"]["title"]["text"]
        found.append(CUT in axes.get_ylabel())
        assert found[-1] == (CUT in layout["yaxis"]["title"]["text"])
    return found


def test_every_axis_of_losses_and_times_that_leaves_zero_out_says_so(make_study: MakeStudy) -> None:
    drawn = figures(sections(build_facts(make_study(tree=gridded_tree()))))
    for name in ("curves", "overlay", "costs", "trend", "learning_rates"):
        starts = [axes.get_ylim()[0] for axes in draw(drawn[name]).axes]
        told = marked(drawn[name])
        assert told == [start > 0 for start in starts[: len(told)]]
        assert any(told), name
    assert not any(marked(drawn["maps"])), "places with names are no heights"


def test_each_axis_is_marked_by_where_it_itself_begins() -> None:
    def panel(low: float, *, log: bool = False) -> Panel:
        line = Line("a", (1.0, 2.0), (low, 3.0), "#000000")
        return Panel("p", Axis("step", 1, 2), Axis("nats per token", low, 3, log=log), lines=(line,))

    panels = (panel(0.5), panel(0.0), panel(-0.1), panel(0.5, log=True), panel(0.5))
    assert marked(Figure("f", "t", "c", panels, ())) == [True, False, False, False, True]
    assert plotly_panel(panels[0])["layout"]["yaxis"]["title"]["text"] == f"nats per token<br>{CUT}"
