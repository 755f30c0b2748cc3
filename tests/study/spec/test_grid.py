from pathlib import Path
from typing import Any

import pytest
from tests.study.cells import AXES, GRID

from stacklab.base.errors import SpecError
from stacklab.base.yamlfile import Places
from stacklab.study.spec.expand import combinations, expand
from stacklab.study.spec.grid import GridSpec
from stacklab.study.spec.load import builtin_studies, read_study


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
