import json
from pathlib import Path
from threading import Barrier

import pytest
from tests.study.retries import planned

from stacklab.base.errors import StacklabError
from stacklab.run.timing.cost import RunCost
from stacklab.study.planning import project
from stacklab.study.planning.plan import Plan, make_plan
from stacklab.study.planning.project import calibrate, projected_seconds, retry_seconds
from stacklab.study.spec.load import read_study
from stacklab.study.spec.request import StudyRequest


@pytest.fixture
def plan(tiny: Path) -> Plan:
    return make_plan(read_study(str(tiny), scale="smoke"), StudyRequest(scale="smoke", out=tiny.parent / "out"))


def cost(step: float) -> RunCost:
    return RunCost(start=1.0, step=step, evaluation=0.5, finish=2.0, peak_bytes=1)


def test_a_run_costs_its_start_steps_evaluations_and_end(plan: Plan) -> None:
    """6 steps, evaluated every 3: before the first, after three, after the last."""
    ((_, _, spec), *_) = plan.runs()
    assert cost(10.0).seconds(spec) == 1.0 + 6 * 10.0 + 3 * 0.5 + 2.0


def test_workers_take_the_next_run_as_they_become_free(plan: Plan) -> None:
    costs = {arm.name: cost(0.0) for arm in plan.arms}
    assert len(plan.runs()) == 6
    assert projected_seconds(plan, costs, workers=1) == 6 * 4.5
    assert projected_seconds(plan, costs, workers=4) == 2 * 4.5


def test_the_time_of_all_retries_is_projected_separately(tmp_path: Path) -> None:
    """Two arms at two other rates with three seeds, each as long as the arm's own runs."""
    plan = planned(tmp_path)
    costs = {arm.name: cost(0.0) for arm in plan.arms}
    ((_, _, spec), *_) = plan.runs()
    once = cost(0.0).seconds(spec)
    assert projected_seconds(plan, costs, workers=1) == 6 * once
    assert retry_seconds(plan, costs, workers=1) == 12 * once
    assert retry_seconds(plan, costs, workers=4) == 3 * once
    assert retry_seconds(planned(tmp_path, retry=None), costs, workers=1) == 0


@pytest.mark.trains
def test_every_arm_is_measured_and_nothing_is_written(plan: Plan, tiny: Path) -> None:
    out = tiny.parent / "out"
    before = sorted(out.rglob("*"))
    measured = calibrate(plan, out, workers=2)
    assert set(measured) == {"deep", "shallow", "wide"}
    assert all(min(one.start, one.step, one.evaluation, one.finish) > 0 for one in measured.values())
    assert all(2**26 < one.peak_bytes < 2**31 for one in measured.values())
    assert sorted(out.rglob("*")) == before


def test_measurements_are_spread_over_the_cards_as_runs_are(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two at a time of three arms, each on a card to itself; a run that two cards share is measured on the first."""
    seen: list[tuple[str, int]] = []
    both = Barrier(2, timeout=20)

    def measured(_: str, question: str, out: Path, *, card: str, **rest: object) -> str:
        seen.append((card, json.loads(question)["train"]["batch_size"]))
        if len(seen) < 3:
            both.wait()
        return cost(1.0).model_dump_json()

    monkeypatch.setattr(project, "measured", measured)
    monkeypatch.setattr(project, "gpus", lambda: ["0", "3", "5", "6"])
    calibrate(plan, Path(), workers=2)
    assert {card for card, _ in seen[:2]} == {"0", "3"} and {size for _, size in seen} == {2}
    seen.clear()
    calibrate(plan.model_copy(update={"gpus_per_run": 2}), Path(), workers=2)
    assert {card for card, _ in seen[:2]} == {"0", "5"} and {size for _, size in seen} == {1}


def test_a_failed_measurement_is_reported(plan: Plan, tmp_path: Path) -> None:
    with pytest.raises(StacklabError, match=r"measuring a run failed: .*no usable prepared data"):
        calibrate(plan, tmp_path / "elsewhere", workers=1)
