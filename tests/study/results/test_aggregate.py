from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from stacklab.base.errors import SpecError
from stacklab.stats.result import Estimate, Undefined
from stacklab.study.planning.plan import Plan, make_plan
from stacklab.study.results.aggregate import Aggregate, aggregates
from stacklab.study.results.collect import Row
from stacklab.study.spec.load import read_study
from stacklab.study.spec.request import StudyRequest

TASKS = ("accuracy.hops_1", "accuracy.hops_2")


def asking(tiny: Path, *metrics: str) -> Path:
    lines = ["aggregates:", *(f"  - {{name: tasks, label: All tasks, metrics: {one}}}" for one in metrics), "scales:"]
    tiny.write_text(tiny.read_text().replace("scales:", "\n".join(lines), 1))
    return tiny


def plan(tiny: Path, *overrides: str) -> Plan:
    study = read_study(str(asking(tiny, f"[{', '.join(TASKS)}]")), scale="smoke", overrides=overrides)
    return make_plan(study, StudyRequest(scale="smoke", out=tiny.parent / "out", seeds=(1, 2, 3)))


def row(arm: str, seed: int, **change: Any) -> Row:
    scores = {TASKS[0]: 0.1 * seed, TASKS[1]: 0.5 + 0.1 * seed}
    return Row(**{"arm": arm, "seed": seed, "run_id": "r", "status": "finished", "metrics": scores} | change)


def only(plan: Plan, rows: list[Row]) -> Aggregate:
    (result,) = aggregates(plan, rows)
    return result


def test_an_aggregate_is_the_interquartile_mean_over_tasks_and_finished_seeds(tiny: Path) -> None:
    rows = [row(arm, seed) for arm in ("deep", "shallow") for seed in (1, 2, 3)]
    rows += [row("wide", seed) for seed in (1, 2)]
    rows += [row("wide", 3, status="diverged", metrics={})]
    result = only(plan(tiny), rows)
    assert (result.absent, [arm.arm for arm in result.arms]) == ("", ["deep", "shallow", "wide"])
    deep, _, wide = result.arms
    scores = [0.1, 0.2, 0.3, 0.6, 0.7, 0.8]
    assert isinstance(deep.estimate, Estimate)
    assert deep.estimate.value == pytest.approx(stats.trim_mean(scores, 0.25))
    assert deep.estimate.low < deep.estimate.value < deep.estimate.high
    assert deep.scores == {TASKS[0]: pytest.approx(tuple(scores[:3])), TASKS[1]: pytest.approx(tuple(scores[3:]))}
    assert isinstance(wide.estimate, Estimate) and wide.estimate.n == 4


def test_an_aggregate_that_the_data_do_not_allow_has_a_reason(tiny: Path) -> None:
    made = plan(tiny)
    alone = only(made, [row(arm, 1) for arm in ("deep", "shallow", "wide")])
    assert {arm.estimate for arm in alone.arms} == {Undefined(reason="task accuracy.hops_1: needs 2 seeds, has 1")}
    diverged = [row("deep", seed, status="diverged", metrics={}) for seed in (1, 2, 3)]
    half = only(made, [*diverged, *(row("wide", seed) for seed in (1, 2, 3))])
    assert half.arms[0].estimate == Undefined(reason="task accuracy.hops_1: needs 2 seeds, has 0")
    assert isinstance(half.arms[2].estimate, Estimate)
    assert only(made, diverged).absent == "no run has finished"
    assert only(made, [row("deep", 1, metrics={TASKS[0]: 1.0})]).absent == "no run has accuracy.hops_2"


def test_a_scale_without_problems_leaves_it_out_with_the_reason(tiny: Path) -> None:
    result = only(plan(tiny, "evaluate.problems=0"), [row("deep", 1)])
    assert (result.arms, result.absent) == ((), "this scale evaluates no problems (evaluate.problems: 0)")


BAD = [
    ("[accuracy.hops_1, acuracy]", r"no run has the metric 'acuracy'; metrics are train_probe\.loss, .*hops_N"),
    ("[accuracy]", r"at least 2 items"),
    ("[accuracy, accuracy]", "the metric accuracy is named twice"),
    ("[validation.loss, accuracy]", r"one scale, not validation\.loss \(nats per token\), accuracy \(share of ans"),
    ("[validation.loss, validation.perplexity]", r"\(perplexity\)"),
]


@pytest.mark.parametrize(("metrics", "message"), BAD)
def test_an_invalid_aggregate_is_refused_with_its_line(tiny: Path, metrics: str, message: str) -> None:
    with pytest.raises(SpecError, match=rf"tiny\.yaml:\d+: aggregates\.0.*{message}"):
        read_study(str(asking(tiny, metrics)), scale="smoke")


def test_two_of_one_name_are_refused(tiny: Path) -> None:
    asking(tiny, "[accuracy.hops_1, accuracy.hops_2]", "[accuracy, accuracy.hops_2]")
    with pytest.raises(SpecError, match="the aggregate name 'tasks' is used twice"):
        read_study(str(tiny), scale="smoke")


def test_an_aggregate_has_the_confidence_of_its_look(tiny: Path) -> None:
    made = plan(tiny)
    rows = [row(arm, seed) for arm in ("deep", "shallow", "wide") for seed in (1, 2, 3)]
    once, third = (only(one, rows) for one in (made, made.model_copy(update={"looks": 3, "look": 2})))
    assert isinstance(once.arms[0].estimate, Estimate) and isinstance(third.arms[0].estimate, Estimate)
    assert once.arms[0].estimate.level == 0.95
    assert third.arms[0].estimate.level == pytest.approx(1 - 0.05 / 3)
    assert third.arms[0].estimate.low <= once.arms[0].estimate.low
