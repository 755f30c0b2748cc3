from stacklab.report.facts.build import build_facts
from stacklab.report.sections.registry import figures, sections
from stacklab.report.sections.tuning import tuning_table
from stacklab.study.planning.tuning import Setting
from stacklab.study.results.tuning import ArmTuning, Point, at_edge
from tests.report.conftest import MakeStudy, tuned_tree


def test_the_grid_is_drawn_with_every_seed_and_every_divergence(make_study: MakeStudy) -> None:
    facts = build_facts(make_study(tree=tuned_tree()))
    (panel,) = figures(sections(facts))["learning_rates"].panels
    assert panel.title == "weight decay 0.1"
    assert [len(line.x) for line in panel.lines] == [2, 2, 2], "the diverged rate has no mean"
    dots = [mark for mark in panel.points if mark.size == 6 and "diverged" not in mark.name]
    assert [len(mark.x) for mark in dots] == [4, 4, 4], "two sound rates by two seeds"
    lost = [mark for mark in panel.points if "diverged" in mark.name]
    assert [mark.x for mark in lost] == [(1.0,)] * 3
    assert len({mark.y for mark in lost}) == 3, "crosses do not hide one another"
    assert all(panel.y.low < mark.y[0] < panel.y.high for mark in lost)
    assert [mark.x for mark in panel.points if "chosen" in mark.name] == [(2e-3,)] * 3


def test_the_table_says_what_was_chosen_and_why_nothing_was(make_study: MakeStudy) -> None:
    found = tuning_table(build_facts(make_study(tree=tuned_tree())))
    assert found is not None
    chosen = [row[0].text for row in found.rows if row[2].note == "chosen"]
    assert chosen == ["0.002"] * 3
    assert [row[4].text for row in found.rows[:3]] == ["", "", "2"]
    tree = tuned_tree()
    tree["scales"]["smoke"]["tuning"] = {"learning_rates": [2.0]}
    facts = build_facts(make_study(tree=tree))
    lost = tuning_table(facts)
    assert lost is not None
    assert lost.notes[0] == "1 layer: no setting chosen, it diverged at every setting of the grid."
    assert "train-probe:layers-1@tuned: layers-12 has no rate of its own, it diverged at every setting of the grid" in (
        facts.not_asked
    )
    assert "learning_rates" not in figures(sections(facts))


def test_claims_stand_at_the_shared_rate_and_at_each_arms_own(make_study: MakeStudy) -> None:
    facts = build_facts(make_study(tree=tuned_tree()))
    ids = [contrast.id for contrast in facts.contrasts]
    assert len(ids) == 16
    assert ids[8:] == [f"{name}@tuned" for name in ids[:8]]
    settings = {row.path for contrast in facts.contrasts for row in contrast.settings}
    assert "train.optimizer.learning_rate" not in settings, "both arms chose the same"
    assert {row.control for row in facts.against_control} == {"1 layer", "1 layer, tuned"}


def test_a_choice_at_the_end_of_the_grid_is_said() -> None:
    def tuning(best: float) -> ArmTuning:
        points = [
            Point(setting=Setting(learning_rate=rate, weight_decay=0.1), losses=(3.0,), diverged=0, missing=0)
            for rate in (1e-3, 2e-3, 4e-3)
        ]
        chosen = Setting(learning_rate=best, weight_decay=0.1)
        return ArmTuning(arm="a", points=tuple(points), chosen=chosen, reason="")

    assert at_edge(tuning(2e-3)) == ""
    assert "0.001, is the smallest of the grid" in at_edge(tuning(1e-3))
    assert "0.004, is the largest of the grid" in at_edge(tuning(4e-3))
