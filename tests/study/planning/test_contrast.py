from pathlib import Path

from stacklab.study.planning.contrast import differences
from stacklab.study.spec.load import read_study
from stacklab.study.spec.study import BaseSpec

MUP = "model.parametrisation={kind: mup, base_d_model: 8, base_num_layers: 2}"


def base(tiny: Path, *overrides: str) -> BaseSpec:
    return read_study(str(tiny), scale="smoke", overrides=overrides).base


def moved(left: BaseSpec, right: BaseSpec) -> set[str]:
    return {row.path for row in differences(left, right)}


def test_stacks_of_one_parametrisation_differ_in_the_width_alone(tiny: Path) -> None:
    """Deviations, rates and multipliers that follow the width are part of the rule, not further knobs."""
    plain = moved(base(tiny), base(tiny, "model.d_model=16"))
    assert plain == {"model.d_model", "model.d_ff"}
    assert moved(base(tiny, MUP), base(tiny, MUP, "model.d_model=16")) == plain


def test_heads_of_keys_and_values_follow_those_of_queries_unless_they_are_shared(tiny: Path) -> None:
    two, four = base(tiny, "model.num_heads=2"), base(tiny, "model.num_heads=4")
    assert moved(two, four) == {"model.num_heads"}
    assert moved(two, base(tiny, "model.num_heads=2", "model.num_kv_heads=2")) == set()
    assert moved(two, base(tiny, "model.num_heads=2", "model.num_kv_heads=1")) == {"model.num_kv_heads"}


def test_another_parametrisation_is_a_difference(tiny: Path) -> None:
    paths = moved(base(tiny), base(tiny, MUP))
    assert "model.parametrisation.kind" in paths
    assert all(path.startswith("model.parametrisation.") for path in paths)
