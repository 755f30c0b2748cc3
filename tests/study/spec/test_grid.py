from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from tests.study.cells import AXES, GRID

from stacklab.base.errors import SpecError
from stacklab.base.yamlfile import Places
from stacklab.study.spec.grid import GridSpec, with_arms
from stacklab.study.spec.load import builtin_studies, read_study


def test_every_combination_is_an_arm_with_the_changes_of_its_values() -> None:
    tree = with_arms({"arms": {"own": {"label": "own"}}}, GRID, Places("x"))
    assert len(tree["arms"]) == 1 + 2 * 3 * 2
    arm = tree["arms"]["hard-layers-1-heads-4"]
    assert arm["label"] == "hard, 1 layer, 4 heads"
    assert arm["change"] == {
        "data.task": {"kind": "lego"},
        "train.steps": 9,
        "model.num_layers": 1,
        "model.num_heads": 4,
    }
    assert next(iter(GRID.combinations())) == "easy-layers-0-heads-1"


def test_arms_of_a_scale_may_be_patterns() -> None:
    scales = {"smoke": {"arms": ["hard-layers-[02]-*", "hard-layers-2-heads-4", "own"]}, "all": {}}
    tree = with_arms({"arms": {"own": {"label": "own"}}, "scales": scales}, GRID, Places("x"))
    assert tree["scales"] == {
        "smoke": {"arms": [*(f"hard-layers-{n}-heads-{h}" for n in (0, 2) for h in (1, 4)), "own"]},
        "all": {},
    }
    with pytest.raises(SpecError, match=r"scales\.smoke\.arms: no arm matches 'soft-\*'"):
        with_arms({"scales": {"smoke": {"arms": ["soft-*"]}}}, GRID, Places("x"))


def test_an_arm_of_the_file_is_not_overwritten() -> None:
    with pytest.raises(SpecError, match="the grid makes an arm of this name"):
        with_arms({"arms": {"easy-layers-0-heads-1": {}}}, GRID, Places("x"))


STUDY = """\
name: grid
title: Grid
question: What solves?
knobs: [data, model.num_layers, model.num_heads]
base: {data: {task: {kind: parity}}, model: {d_model: 8}}
grid:
  axes: {layers: {path: model.num_layers, values: [1, 2]}, heads: {path: model.num_heads, values: [1]}}
  depth: layers
  across: heads
scales:
  smoke: {description: x, expected_time: x, seeds: [1], arms: ["layers-*"]}
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("axes: {layers", "axes: [layers", "not YAML"),
        ("{path: model.num_heads, values: [1]}", "3", "grid.axes.heads: Input should be a valid dictionary, got '3'"),
        ("{path: model.num_heads, values: [1]}", "[1, 2]", "grid.axes.heads: Input should be a valid dictionary"),
        ("{path: model.num_heads, values: [1]}", "{one: 1}", "grid.axes.heads.one: Input should be a valid dictionary"),
        ("values: [1]", "values: 3", "grid.axes.heads.values: Input should be a valid tuple, got '3'"),
        ("values: [1]", "values: {a: 1}", "grid.axes.heads.values: Input should be a valid tuple"),
        ("values: [1]", "values: [[1, 2]]", r"grid.axes.heads.values.0"),
        ("values: [1]", "values: [{a: 1}]", r"grid.axes.heads.values.0"),
        ("path: model.num_heads", "path: [model.num_heads]", "grid.axes.heads.path: Input should be a valid string"),
        ("path: model.num_heads", "path: {a: b}", "grid.axes.heads.path: Input should be a valid string"),
        ("depth: layers", "depth: [layers]", "grid.depth: Input should be a valid string"),
        ('arms: ["layers-*"]', "arms: [{a: b}]", "scales.smoke.arms.0: Input should be a valid string"),
        ('arms: ["layers-*"]', "arms: [[a]]", "scales.smoke.arms.0: Input should be a valid string"),
        ('arms: ["layers-*"]', "arms: 3", "scales.smoke.arms: Input should be a valid tuple"),
        ('arms: ["layers-*"]', "arms: [3]", "scales.smoke.arms.0: Input should be a valid string"),
        ("scales:", "arms: [layers-1]\nscales:", "arms: Input should be a valid dictionary"),
        ("grid:", "grid: 3\nother:", "grid: Input should be a valid dictionary"),
    ],
)
def test_another_kind_of_yaml_node_is_refused_with_its_place(old: str, new: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(STUDY)
    assert list(read_study(str(path), scale="smoke").arms) == ["layers-1-heads-1", "layers-2-heads-1"]
    assert old in STUDY
    path.write_text(STUDY.replace(old, new))
    with pytest.raises(SpecError, match=rf"x\.yaml:\d+: .*{message}"):
        read_study(str(path), scale="smoke")


def test_a_bad_grid_in_a_file_is_one_line_with_its_place(tmp_path: Path) -> None:
    text = builtin_studies()["depth-tasks"].read_text().replace("  depth: layers", "  depth: floors")
    path = tmp_path / "x.yaml"
    path.write_text(text)
    with pytest.raises(SpecError, match=r"x\.yaml:\d+: grid: there is no axis 'floors'"):
        read_study(str(path), scale="smoke")


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ({name: {"metric": "{}", "values": [1]} for name in ("k", "n")}, "axes k and n are both metric axes"),
        ({"k": {"metric": "{}"}}, "values"),
        ({"k": {"metric": "{}", "values": []}}, "at least 1 item"),
        ({"k": {"metric": "validation.acuracy.{}", "values": [1]}}, r"no run has the metric 'validation\.acuracy\.1'"),
        ({"heads": {"path": "model.num_heads", "values": [1, 4, 1]}}, "the axis has a value twice: 1, 4, 1"),
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


def test_a_grid_of_more_arms_than_a_plan_describes_is_refused_before_they_are_listed() -> None:
    axes: dict[str, Any] = {
        name: {"path": f"model.{name}", "values": list(range(2, 152))} for name in ("d_model", "d_ff", "window")
    }
    with pytest.raises(ValidationError, match="axes: 150 x 150 x 150 = 3,375,000 arms, expected at most 10,000, since"):
        GridSpec(axes=axes, depth="d_ff", across="window")
