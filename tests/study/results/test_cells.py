import math
from pathlib import Path

import pytest
from tests.study.cells import GRID, cell

from stacklab.study.planning.plan import make_plan
from stacklab.study.results.cell import CellVerdict
from stacklab.study.results.cells import predicted_depth, read_cells, thresholds, with_budget, with_rates
from stacklab.study.results.collect import Row
from stacklab.study.spec.load import read_study
from stacklab.study.spec.request import StudyRequest


@pytest.mark.parametrize(("needed", "verdict"), [(400, "at baseline"), (600, "not trained long enough")])
def test_a_stack_that_fails_had_twice_the_steps_of_the_one_that_solves(needed: int, verdict: str) -> None:
    failed = cell("1", 0.25).model_copy(update={"verdict": "at baseline", "reason": "why"})
    deep = cell("2", 0.99).model_copy(update={"verdict": "solved"})
    deep = deep.model_copy(update={"outcomes": (deep.outcomes[0].model_copy(update={"steps": needed}),)})
    elsewhere = deep.model_copy(update={"at": deep.at | {"heads": "4"}})
    judged = with_budget(failed, [failed, deep], GRID)
    assert judged.verdict == verdict
    assert judged.reason == f"why; trained {1000 / needed:.1f} times as long as layers 2 took to solve"
    alone = with_budget(failed, [failed, elsewhere], GRID)
    assert (alone.verdict, alone.reason) == (
        "at baseline",
        "why; no deeper stack here solves, so the steps that it takes are unknown",
    )
    assert with_budget(deep, [failed, deep], GRID) == deep


def test_a_stack_does_not_fail_before_another_rate_was_tried() -> None:
    failed = cell("1", 0.25).model_copy(update={"reason": "why"})
    alone, among = with_rates(failed, 1), with_rates(failed, 3)
    assert alone.verdict == "one rate tried"
    assert alone.reason == "why; at 0.002, and no other learning rate was tried, so it does not count as failing"
    assert (among.verdict, among.reason) == (failed.verdict, "why; at the best of 3 learning rates, 0.002")
    slower = failed.model_copy(update={"verdict": "not trained long enough", "learning_rate": 5e-4})
    steeper = failed.model_copy(update={"learning_rate": 4e-3})
    rated = with_rates(failed.model_copy(update={"others": (slower, steeper)}), 3)
    assert rated.verdict == failed.verdict
    assert rated.reason.endswith("0.002; at 0.0005 it was worse, but not trained long enough")
    solved = failed.model_copy(update={"verdict": "solved"})
    assert with_rates(solved, 1) == solved


def test_seeds_that_solved_and_stopped_do_not_shorten_the_time_of_those_that_fail() -> None:
    failed = cell("1", 0.99, 0.25, 0.25)
    trained = (100, 1000, 1000)
    seeds = [one.model_copy(update={"trained": trained[one.seed]}) for one in failed.outcomes]
    failed = failed.model_copy(update={"outcomes": tuple(seeds)})
    deep = cell("2", 0.99).model_copy(update={"verdict": "solved"})
    deep = deep.model_copy(update={"outcomes": (deep.outcomes[0].model_copy(update={"steps": 400}),)})
    assert with_budget(failed, [failed, deep], GRID).reason.endswith(
        "trained 2.5 times as long as layers 2 took to solve"
    )


@pytest.mark.parametrize(
    ("verdicts", "depth", "at_most"),
    [
        (("at baseline", "partial", "solved"), "2", False),
        (("partial", "not trained long enough", "solved"), "2", True),
        (("partial", "invalid", "solved"), "2", True),
        (("solved", "solved", "solved"), "0", False),
        (("partial", None, "solved"), "2", True),
        (("partial", "partial", "partial"), None, False),
    ],
)
def test_a_threshold_is_at_most_what_the_depth_below_did_not_fail(
    verdicts: tuple[CellVerdict | None, ...], depth: str | None, at_most: bool
) -> None:
    column = [
        cell(str(layers), 0.5).model_copy(update={"verdict": verdict})
        for layers, verdict in enumerate(verdicts)
        if verdict
    ]
    (threshold,) = thresholds(GRID, column)
    assert (threshold.depth, threshold.at_most) == (depth, at_most)


def test_cells_are_read_from_what_runs_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Verdicts, steps, baselines, budgets and thresholds, from evaluations to the table."""
    study = read_study("parity", scale="smoke", overrides=["data.probe=64"])
    plan = make_plan(study, StudyRequest(scale="smoke", out=tmp_path))
    metric = "validation.accuracy"
    curves = {1: (0.5, 0.56, 0.55, 0.55, 0.55), 2: (0.5, 0.6, 0.97, 0.96, 0.99)}
    evals, run_rows = {}, []
    for arm in plan.arms:
        curve = curves[arm.config.model.num_layers]
        for seed in plan.seeds:
            shown = curve if seed < 3 else tuple(0.9 * one for one in curve)
            history = [{"step": 100 * n, metric: one, "validation.loss": 0.7} for n, one in enumerate(shown)]
            evals[arm.name, seed] = history
            row = Row(arm=arm.name, seed=seed, run_id="r", status="finished", step=400, metrics={metric: shown[-1]})
            run_rows.append(row)
    monkeypatch.setattr("stacklab.study.results.cells.curves", lambda *_: evals)
    shallow, deep = read_cells(plan, run_rows, tmp_path)
    assert (shallow.verdict, deep.verdict) == ("one rate tried", "solved")
    assert shallow.baseline == plan.arms[0].baselines[metric] > 0.55
    assert "trained 2.0 times as long as layers 2 took to solve; at 0.001, and no other" in shallow.reason
    assert [(one.seed, one.steps, one.trained) for one in deep.outcomes] == [
        (1, 200, 400),
        (2, 200, 400),
        (3, None, 400),
    ]
    assert study.grid is not None
    (threshold,) = thresholds(study.grid, [shallow, deep])
    assert (threshold.depth, threshold.solved) == ("2", (("1", 0, 3), ("2", 2, 3)))
    lost = [row.model_copy(update={"status": "failed"}) if row.seed == 3 else row for row in run_rows]
    (threshold,) = thresholds(study.grid, read_cells(plan, lost, tmp_path))
    assert threshold.solved == (("1", 0, 3), ("2", 2, 3)), "a lost seed still counts"
    for history in evals.values():
        for row in history:
            row["validation.loss"] = 1000 - row["step"]
    assert read_cells(plan, run_rows, tmp_path)[0].verdict == "not trained long enough"


def test_the_hops_are_predicted_as_the_rule_says() -> None:
    grid = read_study("hops", scale="laptop").grid
    assert grid is not None
    for k in grid.values("k"):
        assert predicted_depth(grid, {"k": k}) == str(int(math.log2(int(k))) + 2)


def test_the_threshold_is_the_smallest_depth_that_a_majority_solves() -> None:
    solved = cell("2", 0.95, 0.99, 0.1).model_copy(update={"verdict": "solved"})
    (threshold,) = thresholds(GRID, [cell("0", 0.2, 0.2, 0.2), cell("1", 0.95, 0.2, 0.2), solved])
    assert threshold.depth == "2"
    assert threshold.solved == (("0", 0, 3), ("1", 1, 3), ("2", 2, 3))
    (none,) = thresholds(GRID, [cell("0", 0.2)])
    assert none.depth is None
