from pathlib import Path

import pytest

from stacklab.base.errors import ContrastError
from stacklab.study.planning.contrast import check_declared, differences
from stacklab.study.spec.load import read_study
from stacklab.study.spec.study import ArmSpec, BaseSpec

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


def test_patterns_differ_in_their_settings_or_in_the_windows_as_which_they_are_stored(tiny: Path) -> None:
    strided, wider, block = (
        base(tiny, f"model.attention_pattern={pattern}")
        for pattern in ("{kind: strided, stride: 2}", "{kind: strided, stride: 4}", "{kind: block, size: 4}")
    )
    name = "model.attention_pattern"
    assert moved(strided, wider) == {f"{name}.stride"}
    assert moved(base(tiny), block) == {f"{name}.kind", f"{name}.size", f"{name}.neighbours"}
    draws = f"{name}={{kind: random_blocks, size: 2}}"
    assert moved(base(tiny, draws), base(tiny, draws, "model.num_layers=3")) == {"model.num_layers"}
    mixed = base(tiny, f"{name}=[{{kind: block, size: 4}}, {{kind: window, size: 3}}]")
    assert moved(base(tiny), mixed) == {name, "model.window"}
    same = base(tiny, f"{name}=[{{kind: block, size: 4}}, {{kind: block, size: 4}}]")
    assert moved(block, same) == set()


def test_an_arm_that_states_windows_as_a_pattern_declares_no_more(tiny: Path) -> None:
    study = read_study(str(tiny), scale="smoke", overrides=())
    changed = base(tiny, 'model.attention_pattern={ratio: "1:1", of: [{kind: window, size: 3}, full]}')
    arm = ArmSpec(label="one")
    assert moved(study.base, changed) == {"model.window"}
    check_declared("one", arm, study.base, changed, ["model.attention_pattern"])
    with pytest.raises(ContrastError, match=r"arm one: changes model\.window"):
        check_declared("one", arm, study.base, changed, ["model.num_heads"])


def test_another_parametrisation_is_a_difference(tiny: Path) -> None:
    paths = moved(base(tiny), base(tiny, MUP))
    assert "model.parametrisation.kind" in paths
    assert all(path.startswith("model.parametrisation.") for path in paths)
