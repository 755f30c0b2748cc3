from pathlib import Path

from stacklab.report.facts.build import build_facts
from stacklab.report.facts.provenance import data_facts
from stacklab.report.sections.setup.configuration import control_table
from stacklab.report.sections.setup.provenance import data_summary
from stacklab.study.planning.match import StepTimes
from stacklab.study.planning.plan import make_plan
from stacklab.study.spec.load import read_study
from stacklab.study.spec.request import StudyRequest
from tests.report.conftest import MakeStudy


def test_a_control_matched_by_time_says_by_what_it_was_measured(make_study: MakeStudy) -> None:
    facts = build_facts(make_study())
    times = StepTimes(target_seconds=0.2, seconds=0.21, rounds=22, threads=2, processor="A processor")
    (wide,) = [arm for arm in facts.arms if arm.match]
    assert wide.match is not None
    match = wide.match.model_copy(update={"quantity": "step_seconds", "times": times})
    table = control_table(facts.model_copy(update={"arms": (wide.model_copy(update={"match": match}),)}))
    assert table is not None
    assert table.rows[0][2].text == "time per step"
    (note,) = table.notes
    assert note.endswith("210 ms a step against 200 ms, medians of 22 rounds in turn, 2 threads of A processor")


def test_every_task_of_a_study_is_listed_with_its_settings_and_arms(make_study: MakeStudy) -> None:
    facts = build_facts(make_study())
    labels = tuple(arm.label for arm in facts.arms)
    assert [(one.name, one.data_fingerprint, one.arms) for one in facts.datasets] == [
        ("procedural-cot", facts.data_fingerprint, labels)
    ]
    assert data_summary(facts).heads[0].text == "What", "of one data set what its manifest says"


def test_tasks_are_told_apart(make_study: MakeStudy, tmp_path: Path) -> None:
    study = read_study("depth-tasks", scale="smoke", overrides=["data.probe=64"])
    plan = make_plan(study, StudyRequest(scale="smoke", out=tmp_path / "tasks"))
    found = data_facts(plan)
    assert len(found) == 2
    assert [one.name for one in found] == list(dict.fromkeys(arm.config.data.task.kind for arm in plan.arms))  # type: ignore[union-attr]
    assert sorted(label for one in found for label in one.arms) == sorted(arm.label for arm in plan.arms)
    table = data_summary(build_facts(make_study()).model_copy(update={"datasets": found}))
    assert [row[0].text for row in table.rows] == [one.name for one in found]
    asked = next(row for row in table.rows if row[0].text == "question-answering")
    assert "pairs 8" in asked[1].text and "kind" not in asked[1].text
    assert asked[3].text in {arm.data_fingerprint for arm in plan.arms}
