from pathlib import Path

import pytest
from tests.study.retries import RATES, planned, ran

from stacklab.api import load_study
from stacklab.base.errors import SpecError
from stacklab.cli.request import parse_request
from stacklab.study.planning.plan import make_plan
from stacklab.study.planning.retry import most_retries, retry_plan
from stacklab.study.results.cells import thresholds, to_retry
from stacklab.study.results.results import open_results
from stacklab.study.spec.load import read_study
from stacklab.study.spec.rates import RetrySpec, TuningSpec
from stacklab.study.spec.request import StudyRequest


def test_arms_are_planned_at_every_rate_but_their_own(tmp_path: Path) -> None:
    plan = planned(tmp_path)
    again = retry_plan(plan, {"4-layers-1"})
    assert [arm.name for arm in again.arms] == ["4-layers-1@0.0005", "4-layers-1@0.002"]
    assert again.arms[0].label == "4, 1 layer, rate 0.0005"
    for arm, _, spec in again.runs():
        own = plan.run_spec(plan.arm(arm.origin), spec.seed).dump()
        own["train"]["optimizer"]["learning_rate"] = float(arm.name.partition("@")[2])
        assert spec.dump() == own, "nothing else differs"
    assert len(most_retries(plan).runs()) == 2 * 2 * 3
    assert not most_retries(planned(tmp_path, retry=None)).runs()


def test_only_what_would_count_as_failing_is_trained_again(tmp_path: Path) -> None:
    plan = planned(tmp_path)
    result, stages = ran(plan, tmp_path, {(1, 1e-3): 0.5, (1, 5e-4): 0.4, (1, 2e-3): 0.6, (2, 1e-3): 0.97})
    assert [sorted(set(stage)) for stage in stages] == [
        ["4, 1 layer", "4, 2 layers"],
        ["4, 1 layer, rate 0.0005", "4, 1 layer, rate 0.002"],
    ]
    assert [len(stage) for stage in stages] == [6, 6]
    shallow, deep = result.cells
    assert (shallow.verdict, shallow.learning_rate, shallow.mean) == ("at baseline", 2e-3, pytest.approx(0.6))
    assert shallow.reason.endswith("at the best of 3 learning rates, 0.002")
    assert [(one.learning_rate, one.mean) for one in shallow.others] == [(1e-3, 0.5), (5e-4, pytest.approx(0.4))]
    assert (deep.verdict, deep.learning_rate, deep.others) == ("solved", 1e-3, ())
    assert result.plan.study.grid is not None
    assert not thresholds(result.plan.study.grid, result.cells)[0].at_most
    assert ran(plan, tmp_path, {})[1] == [], "all of it is done"
    assert open_results(result.folder).cells == result.cells


def test_a_stack_that_solves_at_another_rate_solves(tmp_path: Path) -> None:
    finals = {(1, 1e-3): 0.5, (1, 5e-4): 0.0, (1, 2e-3): 0.96, (2, 1e-3): 0.97}
    result, _ = ran(planned(tmp_path), tmp_path, finals)
    shallow = result.cells[0]
    assert (shallow.verdict, shallow.learning_rate) == ("solved", 2e-3)
    assert shallow.reason == "3 of 3 seeds reach 0.95; at a learning rate of 0.002, not at 0.001"
    assert [one.verdict for one in shallow.others] == ["at baseline", "invalid"], "at the smallest rate it diverged"
    assert result.plan.study.grid is not None
    assert thresholds(result.plan.study.grid, result.cells)[0].depth == "1"


def test_a_rate_of_which_a_run_is_missing_was_not_tried(tmp_path: Path) -> None:
    plan = planned(tmp_path)
    result, _ = ran(plan, tmp_path, {(1, 1e-3): 0.5, (1, 5e-4): 0.4, (1, 2e-3): 0.6, (2, 1e-3): 0.97})
    for arm, seed, spec in to_retry(plan, tmp_path).runs():
        if arm.name.endswith("@0.002") and seed == 2:
            (tmp_path / "runs" / spec.run_id / "result.json").unlink()
    result = open_results(result.folder)
    assert [one.learning_rate for one in result.cells[0].others] == [5e-4]
    assert result.cells[0].reason.endswith("at the best of 2 learning rates, 0.001")
    assert [row.status for row in result.retried].count("missing") == 1


def test_without_other_rates_nothing_fails(tmp_path: Path) -> None:
    result, stages = ran(planned(tmp_path, retry=None), tmp_path, {(1, 1e-3): 0.5, (2, 1e-3): 0.97})
    assert len(stages) == 1
    assert result.cells[0].verdict == "one rate tried"
    assert result.plan.study.grid is not None
    assert thresholds(result.plan.study.grid, result.cells)[0].at_most


@pytest.mark.parametrize(
    ("shared", "verdict", "rate", "reason"),
    [
        (0.97, "solved", 1e-3, "3 of 3 seeds reach 0.95; at a learning rate of 0.001, not at 0.0005"),
        (0.5, "at baseline", 5e-4, "at the best of 3 learning rates, 0.0005"),
    ],
)
def test_a_stack_that_was_tuned_does_not_fail_where_it_solves_at_the_shared_rate(
    tmp_path: Path, shared: float, verdict: str, rate: float, reason: str
) -> None:
    tuning = TuningSpec(learning_rates=(5e-4, 2e-3))
    plan = planned(tmp_path, retry=None, tuning=tuning)
    finals = {(1, 1e-3): shared, (1, 5e-4): 0.55, (2, 1e-3): 0.96, (2, 5e-4): 0.97}
    result, _ = ran(plan, tmp_path, finals, losses={5e-4: 1.0, 2e-3: 2.0})
    shallow, deep = result.cells
    assert (shallow.verdict, shallow.learning_rate) == (verdict, rate)
    assert shallow.reason.endswith(reason)
    assert (deep.verdict, deep.learning_rate, [one.learning_rate for one in deep.others]) == ("solved", 5e-4, [1e-3])


def test_a_stack_whose_own_rate_is_the_shared_one_has_one_cell_for_it(tmp_path: Path) -> None:
    plan = planned(tmp_path, retry=None, tuning=TuningSpec(learning_rates=(5e-4, 1e-3)))
    result, _ = ran(plan, tmp_path, {(1, 1e-3): 0.5, (2, 1e-3): 0.97}, losses={5e-4: 2.0, 1e-3: 1.0})
    assert [(one.verdict, one.others) for one in result.cells] == [("at baseline", ()), ("solved", ())]
    assert result.cells[0].reason.endswith("at the best of 2 learning rates, 0.001")


def test_the_rates_of_a_request_replace_those_of_the_scale(tmp_path: Path) -> None:
    study = read_study("parity", scale="laptop")
    assert make_plan(study, StudyRequest(scale="laptop", out=tmp_path)).retry == RATES
    one = RetrySpec(learning_rates=(3e-3,))
    assert make_plan(study, StudyRequest(scale="laptop", out=tmp_path, retry=one)).retry == one
    tuning = TuningSpec(learning_rates=(1e-3,))
    assert make_plan(study, StudyRequest(scale="laptop", out=tmp_path, tuning=tuning)).retry is None
    with pytest.raises(SpecError, match="--retry-rates: tuning already trains every arm on a grid of rates"):
        load_study("parity", scale="laptop", out=tmp_path, tuning=tuning, retry=one)


def test_retries_need_a_grid(tiny: Path) -> None:
    with pytest.raises(SpecError, match="--retry-rates: the study has no grid"):
        make_plan(read_study(str(tiny), scale="smoke"), StudyRequest(scale="smoke", out=tiny.parent, retry=RATES))
    scale = "  smoke:\n    retry: {learning_rates: [1.0e-3]}\n"
    tiny.write_text(tiny.read_text().replace("  smoke:\n", scale))
    with pytest.raises(SpecError, match=r"scales\.smoke\.retry: the study has no grid"):
        read_study(str(tiny), scale="smoke")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1e-3,x", "--retry-rates 1e-3,x: expected numbers"),
        ("1e-3,1e-3", "--retry-rates: 0.001 appears twice"),
        ("0", "--retry-rates: Input should be greater than 0"),
        ("nan", "--retry-rates: "),
    ],
)
def test_invalid_rates_are_refused(text: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        parse_request({"retry_rates": text})


def test_rates_on_the_command_line() -> None:
    assert parse_request({"retry_rates": "5e-4,1e-3,2e-3"}).retry == RATES
    assert parse_request({"retry_rates": None}).retry is None
