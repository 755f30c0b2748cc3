import math
from pathlib import Path
from typing import Any

import pytest

from stacklab.base.errors import SpecError
from stacklab.base.yamlfile import Places
from stacklab.study.cells import (
    Cell,
    CellVerdict,
    Progress,
    SeedOutcome,
    judge,
    predicted_depth,
    progress,
    read_cells,
    thresholds,
    with_budget,
    with_rates,
)
from stacklab.study.collect import Row
from stacklab.study.grid import combinations, expand
from stacklab.study.grid_spec import GridSpec
from stacklab.study.load import builtin_studies, read_study
from stacklab.study.plan import make_plan

FLAT = Progress(0.0, 0.0)
AXES: dict[str, Any] = {
    "task": {"easy": {"data.task": {"kind": "parity"}}, "hard": {"data.task": {"kind": "lego"}, "train.steps": 9}},
    "layers": {"path": "model.num_layers", "values": [0, 1, 2]},
    "heads": {"path": "model.num_heads", "values": [1, 4]},
}
GRID = GridSpec(axes=AXES, depth="layers", across="heads", solved=0.9)


def cell(layers: str, *finals: float, baseline: float = 0.25) -> Cell:
    outcomes = tuple(SeedOutcome(seed=seed, final=final, steps=None, trained=1000) for seed, final in enumerate(finals))
    at = {"task": "easy", "layers": layers, "heads": "1"}
    seeds = len(outcomes)
    return Cell(
        arm=f"a{layers}", at=at, baseline=baseline, outcomes=outcomes, planned=seeds, verdict="partial", reason=""
    )


def rows(*states: str) -> list[Row]:
    return [Row(arm="a", seed=seed, run_id="r", status=state) for seed, state in enumerate(states)]  # type: ignore[arg-type]


def test_every_combination_is_an_arm_with_the_changes_of_its_values() -> None:
    tree = expand({"arms": {"own": {"label": "own"}}, "grid": {"axes": AXES}}, Places("x"))
    assert len(tree["arms"]) == 1 + 2 * 3 * 2
    arm = tree["arms"]["hard-layers-1-heads-4"]
    assert arm["label"] == "hard, 1 layer, 4 heads"
    assert arm["change"] == {
        "data.task": {"kind": "lego"},
        "train.steps": 9,
        "model.num_layers": 1,
        "model.num_heads": 4,
    }
    assert next(iter(combinations(AXES))) == "easy-layers-0-heads-1"


def test_arms_of_a_scale_may_be_patterns() -> None:
    scales = {"smoke": {"arms": ["hard-layers-[02]-*", "hard-layers-2-heads-4", "own"]}, "all": {}}
    tree = expand({"arms": {"own": {"label": "own"}}, "grid": {"axes": AXES}, "scales": scales}, Places("x"))
    assert tree["scales"] == {
        "smoke": {"arms": [*(f"hard-layers-{n}-heads-{h}" for n in (0, 2) for h in (1, 4)), "own"]},
        "all": {},
    }
    with pytest.raises(SpecError, match=r"scales\.smoke\.arms: no arm fits 'soft-\*'"):
        expand({"grid": {"axes": AXES}, "scales": {"smoke": {"arms": ["soft-*"]}}}, Places("x"))


def test_an_arm_of_the_file_is_not_overwritten() -> None:
    with pytest.raises(SpecError, match="the grid makes an arm of this name"):
        expand({"arms": {"easy-layers-0-heads-1": {}}, "grid": {"axes": AXES}}, Places("x"))


@pytest.mark.parametrize("grid", [None, [], {"axes": 3}, {"axes": {"layers": 3}}, {"axes": {"a": {"path": "x"}}}])
def test_what_is_no_grid_is_left_to_validation(grid: Any) -> None:
    assert expand({"grid": grid}, Places("x")) == {"grid": grid}


def test_a_bad_grid_in_a_file_is_one_line_with_its_place(tmp_path: Path) -> None:
    text = builtin_studies()["depth-tasks"].read_text().replace("  depth: layers", "  depth: floors")
    path = tmp_path / "x.yaml"
    path.write_text(text)
    with pytest.raises(SpecError, match=r"x\.yaml:\d+: grid: there is no axis 'floors'"):
        read_study(str(path), scale="smoke")


@pytest.mark.parametrize(
    ("finals", "others", "verdict"),
    [
        ((0.95, 0.95, 0.1), FLAT, "solved"),
        ((0.95, 0.1, 0.1), FLAT, "partial"),
        ((0.95, 0.95, 0.1, 0.1), FLAT, "partial"),
        ((0.27, 0.27, 0.26), FLAT, "at baseline"),
        ((0.28, 0.28, 0.27), FLAT, "partial"),
        ((0.5, 0.5, 0.5), Progress(0.021, 0.0), "not trained long enough"),
        ((0.5, 0.5, 0.5), Progress(0.019, 0.04), "partial"),
        ((0.25, 0.25, 0.25), Progress(0.0, 0.06), "not trained long enough"),
        ((0.5, 0.5, 0.5), None, "not trained long enough"),
    ],
)
def test_the_verdict_of_a_cell(finals: tuple[float, ...], others: Progress | None, verdict: str) -> None:
    assert judge(cell("1", *finals), GRID, rows(*["finished"] * len(finals)), others)[0] == verdict


def test_a_cell_that_lost_half_its_seeds_is_invalid() -> None:
    assert judge(cell("1", 0.99), GRID, rows("finished", "diverged"), FLAT) == ("invalid", "seed 1: diverged")


@pytest.mark.parametrize(("needed", "verdict"), [(400, "at baseline"), (600, "not trained long enough")])
def test_a_stack_that_fails_had_twice_the_steps_of_the_one_that_solves(needed: int, verdict: str) -> None:
    failed = cell("1", 0.25).model_copy(update={"verdict": "at baseline", "reason": "why"})
    deep = cell("2", 0.99).model_copy(update={"verdict": "solved"})
    deep = deep.model_copy(update={"outcomes": (deep.outcomes[0].model_copy(update={"steps": needed}),)})
    elsewhere = deep.model_copy(update={"at": deep.at | {"heads": "4"}})
    found = with_budget(failed, [failed, deep], GRID)
    assert found.verdict == verdict
    assert found.reason == f"why; trained {1000 / needed:.1f} times as long as layers 2 took to solve"
    alone = with_budget(failed, [failed, elsewhere], GRID)
    assert (alone.verdict, alone.reason) == (
        "at baseline",
        "why; no deeper stack here solves, so nothing shows how many steps it takes",
    )
    assert with_budget(deep, [failed, deep], GRID) == deep


def test_a_stack_that_fails_says_whether_other_rates_were_tried() -> None:
    failed = cell("1", 0.25).model_copy(update={"reason": "why"})
    assert with_rates(failed, 1).reason == "why; at one learning rate, no other was tried"
    assert with_rates(failed, 3).reason == "why; at the best of 3 learning rates"
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
    (found,) = thresholds(GRID, column)
    assert (found.depth, found.at_most) == (depth, at_most)


def test_progress_is_of_the_last_quarter_over_the_third() -> None:
    def history(*rows: tuple[int, float, float]) -> list[dict[str, float]]:
        return [{"step": step, "v.m": value, "v.loss": loss} for step, value, loss in rows]

    long = history((0, 0.0, 9.0), (100, 0.1, 5.0), (150, 0.3, 4.0), (175, 0.5, 3.0), (200, 0.7, 2.0))
    assert progress("v.m", [long]) == pytest.approx((0.6 - 0.3, 1 - 2.5 / 4))
    still = history((150, 0.5, 1.0), (200, 0.5, 1.0))
    assert progress("v.m", [long, still]) == pytest.approx((0.15, (1 - 2.5 / 4) / 2))
    assert progress("v.m", [long, history((0, 0.0, 1.0), (200, 0.9, 1.0))]) == progress("v.m", [long])
    assert progress("v.m", [history((0, 0.0, 1.0), (500, 0.3, 1.0), (600, 0.6, 1.0))]) is None
    assert progress("v.m", []) is None


def test_cells_are_read_from_what_runs_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Verdicts, steps, baselines, budgets and thresholds, from evaluations to the table."""
    study = read_study("parity", scale="smoke", overrides=["data.probe=64"])
    plan = make_plan(study, scale="smoke", out=tmp_path)
    metric = "validation.accuracy"
    curves = {1: (0.5, 0.56, 0.55, 0.55, 0.55), 2: (0.5, 0.6, 0.97, 0.96, 0.99)}
    evals, found = {}, []
    for arm in plan.arms:
        curve = curves[arm.config.model.num_layers]
        for seed in plan.seeds:
            shown = curve if seed < 3 else tuple(0.9 * one for one in curve)
            history = [{"step": 100 * n, metric: one, "validation.loss": 0.7} for n, one in enumerate(shown)]
            evals[arm.name, seed] = history
            row = Row(arm=arm.name, seed=seed, run_id="r", status="finished", step=400, metrics={metric: shown[-1]})
            found.append(row)
    monkeypatch.setattr("stacklab.study.cells.curves", lambda *_: evals)
    shallow, deep = read_cells(plan, found, tmp_path)
    assert (shallow.verdict, deep.verdict) == ("at baseline", "solved")
    assert shallow.baseline == plan.arms[0].baselines[metric] > 0.55
    assert "trained 2.0 times as long as layers 2 took to solve; at one learning rate" in shallow.reason
    assert [(one.seed, one.steps, one.trained) for one in deep.outcomes] == [
        (1, 200, 400),
        (2, 200, 400),
        (3, None, 400),
    ]
    assert study.grid is not None
    (threshold,) = thresholds(study.grid, [shallow, deep])
    assert (threshold.depth, threshold.solved) == ("2", (("1", 0, 3), ("2", 2, 3)))
    lost = [row.model_copy(update={"status": "failed"}) if row.seed == 3 else row for row in found]
    (threshold,) = thresholds(study.grid, read_cells(plan, lost, tmp_path))
    assert threshold.solved == (("1", 0, 3), ("2", 2, 3)), "a lost seed still counts"
    for history in evals.values():
        for row in history:
            row["validation.loss"] = 1000 - row["step"]
    assert read_cells(plan, found, tmp_path)[0].verdict == "not trained long enough"


def test_the_hops_are_predicted_as_the_rule_says() -> None:
    grid = read_study("hops", scale="laptop").grid
    assert grid is not None
    for k in grid.axes["k"]["values"]:
        assert predicted_depth(grid, {"k": str(k)}) == str(int(math.log2(k)) + 2)


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ({name: {"metric": "{}", "values": [1]} for name in ("k", "n")}, "axes k and n are both of metrics"),
        ({"k": {"metric": "{}"}}, "axis 'k' lists no values"),
        ({"k": {"metric": "{}", "values": []}}, "axis 'k' has no values"),
        ({"k": {"metric": "validation.acuracy.{}", "values": [1]}}, r"no run has the metric 'validation\.acuracy\.1'"),
        ({"heads": {"path": "model.num_heads", "values": [1, 4, 1]}}, "axis 'heads' has a value twice: 1, 4, 1"),
        ({"layers": {"path": "model.num_layers", "values": [2, 1]}}, "axis 'layers' must ascend"),
    ],
)
def test_an_axis_that_cannot_be_read_is_refused(axes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GridSpec.model_validate(GRID.dump() | {"axes": AXES | axes})


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ({"solved": 2.0}, r"solved = 2: validation\.accuracy is a share of answers"),
        ({"solved": 0.0}, "above 0 and at most 1"),
        ({"metric": "validation.acuracy"}, r"no run has the metric 'validation\.acuracy'"),
        ({"predicted": {"label": "x", "depths": [{"at": {"heads": "3"}, "depth": "2"}]}}, "heads 3 is none of 1, 4"),
    ],
)
def test_a_grid_that_no_run_could_fill_is_refused(field: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GridSpec.model_validate(GRID.dump() | field)


def test_a_prediction_names_axes_of_the_grid() -> None:
    with pytest.raises(ValueError, match="predicted names the axis 'floors'"):
        GridSpec.model_validate(
            GRID.dump() | {"predicted": {"label": "x", "depths": [{"at": {"floors": "1"}, "depth": "2"}]}}
        )


def test_the_threshold_is_the_smallest_depth_that_a_majority_solves() -> None:
    solved = cell("2", 0.95, 0.99, 0.1).model_copy(update={"verdict": "solved"})
    (found,) = thresholds(GRID, [cell("0", 0.2, 0.2, 0.2), cell("1", 0.95, 0.2, 0.2), solved])
    assert found.depth == "2"
    assert found.solved == (("0", 0, 3), ("1", 1, 3), ("2", 2, 3))
    (none,) = thresholds(GRID, [cell("0", 0.2)])
    assert none.depth is None
