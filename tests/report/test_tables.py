from stacklab.report.facts import build_facts
from stacklab.report.tables import controls
from stacklab.study.match import StepTimes
from tests.report.conftest import MakeStudy


def test_a_control_matched_by_time_says_by_what_it_was_measured(make_study: MakeStudy) -> None:
    facts = build_facts(make_study())
    times = StepTimes(target_seconds=0.2, seconds=0.21, rounds=22, threads=2, processor="A processor")
    (wide,) = [arm for arm in facts.arms if arm.match]
    assert wide.match is not None
    match = wide.match.model_copy(update={"quantity": "step_seconds", "times": times})
    table = controls(facts.model_copy(update={"arms": (wide.model_copy(update={"match": match}),)}))
    assert table is not None
    assert table.rows[0][2].text == "time per step"
    (note,) = table.notes
    assert note.endswith("210 ms a step against 200 ms, medians of 22 rounds in turn, 2 threads of A processor")
