import math
from pathlib import Path
from typing import Any

import pytest

from stacklab.base.errors import SpecError
from stacklab.base.yamlfile import Places
from stacklab.study.cells import (
    Cell,
    CellVerdict,
    SeedOutcome,
    _rise,
    judge,
    predicted_depth,
    thresholds,
    with_budget,
    with_rates,
)
from stacklab.study.collect import Row
from stacklab.study.grid import combinations, expand
from stacklab.study.grid_spec import GridSpec
from stacklab.study.load import builtin_studies, read_study

AXES: dict[str, Any] = {
    "task": {"easy": {"data.task": {"kind": "parity"}}, "hard": {"data.task": {"kind": "lego"}, "train.steps": 9}},
    "layers": {"path": "model.num_layers", "values": [0, 1, 2]},
    "heads": {"path": "model.num_heads", "values": [1, 4]},
}
GRID = GridSpec(axes=AXES, depth="layers", across="heads", solved=0.9)


def cell(layers: str, *finals: float, baseline: float = 0.25) -> Cell:
    outcomes = tuple(SeedOutcome(seed=seed, final=final, steps=None, trained=1000) for seed, final in enumerate(finals))
    at = {"task": "easy", "layers": layers, "heads": "1"}
    return Cell(arm=f"a{layers}", at=at, baseline=baseline, outcomes=outcomes, verdict="partial", reason="")


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
    ("finals", "rise", "verdict"),
    [
        ((0.95, 0.95, 0.1), 0.0, "solved"),
        ((0.95, 0.1, 0.1), 0.0, "partial"),
        ((0.26, 0.25, 0.24), 0.0, "at baseline"),
        ((0.5, 0.5, 0.5), 0.1, "not trained long enough"),
        ((0.5, 0.5, 0.5), 0.0, "partial"),
    ],
)
def test_the_verdict_of_a_cell(finals: tuple[float, ...], rise: float, verdict: str) -> None:
    assert judge(cell("1", *finals), GRID, rows(*["finished"] * 3), rise)[0] == verdict


def test_a_cell_that_lost_half_its_seeds_is_invalid() -> None:
    assert judge(cell("1", 0.99), GRID, rows("finished", "diverged"), 0.0) == ("invalid", "seed 1: diverged")


@pytest.mark.parametrize(("needed", "verdict"), [(400, "at baseline"), (600, "not trained long enough")])
def test_a_stack_that_fails_had_twice_the_steps_of_the_one_that_solves(needed: int, verdict: str) -> None:
    failed = cell("1", 0.25).model_copy(update={"verdict": "at baseline", "reason": "why"})
    deep = cell("2", 0.99).model_copy(update={"verdict": "solved"})
    deep = deep.model_copy(update={"outcomes": (deep.outcomes[0].model_copy(update={"steps": needed}),)})
    elsewhere = deep.model_copy(update={"at": deep.at | {"heads": "4"}})
    found = with_budget(failed, [failed, deep], GRID)
    assert found.verdict == verdict
    assert found.reason == f"why; trained {1000 / needed:.1f} times as long as layers 2 took to solve"
    assert with_budget(failed, [failed, elsewhere], GRID) == failed
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


def test_a_rise_is_of_the_last_quarter_over_the_third() -> None:
    history = [{"step": step, "m": value} for step, value in ((0, 0.0), (100, 0.1), (150, 0.3), (175, 0.5), (200, 0.7))]
    assert _rise("m", [history]) == pytest.approx(0.6 - 0.3)
    assert _rise("m", [history, [{"step": 0, "m": 0.0}, {"step": 200, "m": 0.9}]]) == pytest.approx(0.3)
    assert _rise("m", []) == 0.0


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
    ],
)
def test_an_axis_that_cannot_be_read_is_refused(axes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GridSpec.model_validate(GRID.dump() | {"axes": AXES | axes})


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
