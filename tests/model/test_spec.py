from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import ValidationError

from stacklab.base.spec import Spec
from stacklab.model.positions.kinds import NoPositions
from stacklab.model.spec import BiasSpec, LayerSpec, ModelSpec, NormSpec


def test_scalars_are_spread_and_lists_are_taken_layer_by_layer() -> None:
    spec = ModelSpec(num_layers=2, d_model=16, num_heads=[2, 4], window=[None, 3], layer_drop=0.1)  # type: ignore[arg-type]
    assert spec.layers == (LayerSpec(2, 64, None, 0.1, 2), LayerSpec(4, 64, 3, 0.1, 4))


@pytest.mark.parametrize(
    ("schedule", "heads"),
    [
        ({"schedule": "constant", "smallest": 12}, (12, 12, 12, 12)),
        ({"schedule": "ascending", "smallest": 3}, (3, 6, 12, 24)),
        ({"schedule": "descending", "smallest": 12}, (96, 48, 24, 12)),
        ({"schedule": "ascending", "smallest": 1, "factor": 4}, (1, 4, 16, 64)),
    ],
)
def test_a_schedule_is_the_list_that_it_stands_for(schedule: dict[str, Any], heads: tuple[int, ...]) -> None:
    fields = {"d_model": 768, "num_layers": 4}
    spec = ModelSpec.model_validate(fields | {"num_heads": schedule})
    assert tuple(layer.num_heads for layer in spec.layers) == heads
    assert spec == ModelSpec.model_validate(fields | {"num_heads": list(heads)})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_heads": 5}, r"num_heads = 5 \(layer 0\) does not divide d_model = 384"),
        ({"num_heads": [8, 8]}, "num_heads lists 2 values for num_layers = 12 layers"),
        ({"num_heads": {"schedule": "ascending", "smallest": 5}}, r"num_heads = 5 \(layer 0\) does not divide"),
        ({"num_heads": {"schedule": "rising", "smallest": 5}}, "'constant', 'ascending' or 'descending'"),
        ({"num_heads": {"schedule": "constant", "smallest": 1}, "num_layers": 65}, "needs num_layers from 0 to 64"),
        ({"d_ff": [8]}, "d_ff lists 1 values"),
        ({"layer_drop": 1.0}, "layer_drop = 1.0"),
        ({"d_model": 8.5}, "d_model"),
        ({"n_layers": 3}, "n_layers"),
        ({"position": "sinusoidal", "d_model": 3, "num_heads": 1}, "even d_model"),
        ({"position": "alibi"}, "'learned', 'sinusoidal', 'none', 'factored', 'rotary'"),
        (
            {"position": "rotary", "num_heads": 128},
            r"num_heads = 128 \(layer 0\) makes heads of 3; choose heads of an even",
        ),
        ({"position": {"kind": "rotary", "base": 0}}, r"position\.rotary\.base"),
        ({"num_kv_heads": 3}, r"num_kv_heads = 3 \(layer 0\) does not divide num_heads = 8"),
        ({"num_kv_heads": 16}, r"num_kv_heads = 16 \(layer 0\) does not divide num_heads = 8"),
        ({"num_kv_heads": [8, 8]}, "num_kv_heads lists 2 values"),
        ({"norm": {"kind": "rms", "bias": True}}, "RMSNorm has no bias; set norm.bias to false"),
        ({"feed_forward": "swiglu"}, "'plain' or 'gated'"),
        ({"position": "factored"}, r"position\.factored\.period\s+Field required"),
        ({"position": {"kind": "factored", "period": 513}}, r"period = 513 exceeds context_length = 512"),
        ({"position": {"kind": "none", "period": 3}}, r"position\.none\.period"),
        ({"d_ff": -1}, "greater than or equal to 0"),
        ({"mask": "causal-ish"}, "'causal' or 'full'"),
        ({"token_table": "frozen"}, "would freeze the tied head too; set tie_embeddings to false"),
        ({"linear_bias": {"keys": True}}, "linear_bias.keys"),
        ({"linear_bias": "yes"}, "expected true, false or some of query_key_value, output, feed_forward, got 'yes'"),
        ({"init": {"token_std": 0.0}}, "init.token_std"),
        (
            {"residual": "deepnorm"},
            r"residual\.kind = deepnorm is defined for norms after the addition, not for norm\.placement = pre; "
            r"set norm\.placement: post, or another residual\.kind",
        ),
        ({"residual": "deepnorm", "norm": {"placement": "none"}}, r"not for norm\.placement = none"),
        ({"residual": "deepnorm", "norm": {"placement": "sandwich"}}, r"not for norm\.placement = sandwich"),
        ({"residual": "rezero", "init": {"residual": "depth_scaled"}}, "both scale the branches; set one of them to"),
        (
            {"residual": "rezero", "parametrisation": {"kind": "mup", "base_d_model": 8, "base_num_layers": 1}},
            r"base_num_layers and residual\.kind = rezero both scale the branches with depth",
        ),
        (
            {
                "norm": {"placement": "peri"},
                "parametrisation": {"kind": "mup", "base_d_model": 8, "base_num_layers": 1},
            },
            "the rule for depth holds for norms before the sub-layers",
        ),
        ({"residual": "skip"}, "'plain', 'depth_scaled', 'deepnorm', 'rezero'"),
        ({"qk_norm": True}, "'none', 'head' or 'projection'"),
    ],
)
def test_what_cannot_be_built_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ModelSpec.model_validate(change)


def test_a_name_or_a_truth_value_stands_for_the_whole_component() -> None:
    spec = ModelSpec.model_validate({"position": "none", "linear_bias": True})
    assert spec.position == NoPositions()
    assert spec.linear_bias == BiasSpec(query_key_value=True, output=True, feed_forward=True)
    assert ModelSpec.model_validate(spec.dump()) == spec


@pytest.mark.parametrize(
    ("placement", "final"),
    [("pre", True), ("post", False), ("none", False), ("sandwich", True), ("peri", True), ("reordered", True)],
)
def test_the_final_norm_follows_the_placement_unless_it_is_given(placement: str, final: bool) -> None:
    assert NormSpec.model_validate({"placement": placement}).has_final == final
    assert NormSpec.model_validate({"placement": placement, "final": not final}).has_final != final


def test_new_components_at_their_defaults_leave_the_dump_as_it_was() -> None:
    assert not {"qk_norm", "residual"} & ModelSpec().dump().keys()
    changed = ModelSpec.model_validate({"qk_norm": "head", "residual": "rezero"})
    assert ModelSpec.model_validate(changed.dump()) == changed and "residual" in changed.dump()


def test_norms_have_a_bias_where_their_kind_has_one_unless_told() -> None:
    norms = ({"kind": "layer"}, {"kind": "rms"}, {"kind": "layer", "bias": False})
    assert [NormSpec.model_validate(tree).bias for tree in norms] == [True, False, False]


def test_keys_and_values_have_as_many_heads_as_queries_unless_told() -> None:
    spec = {"num_layers": 3, "num_heads": [8, 4, 2]}
    for kv_heads, heads in ((None, [8, 4, 2]), (2, [2, 2, 2]), ([4, 4, 1], [4, 4, 1])):
        layers = ModelSpec.model_validate(spec | {"num_kv_heads": kv_heads}).layers
        assert [layer.num_kv_heads for layer in layers] == heads


@pytest.mark.parametrize(("position", "step"), [("none", 12), ("rotary", 24), ("sinusoidal", 12)])
def test_every_multiple_of_the_step_is_a_width(position: str, step: int) -> None:
    spec = ModelSpec.model_validate({"num_layers": 2, "num_heads": [3, 4], "d_model": 24, "position": position})
    assert spec.width_step == step
    for width in (step, 3 * step):
        ModelSpec.model_validate(spec.dump() | {"d_model": width})


def test_every_setting_is_in_the_docs() -> None:
    """docs/model.md has a row for each field, by its path."""
    text = (Path(__file__).parents[2] / "docs" / "model.md").read_text()
    rows = {line.split("|")[1].strip().strip("`") for line in text.splitlines() if line.startswith("| `")}
    assert rows == set(paths(ModelSpec))


def test_the_examples_in_the_docs_are_models() -> None:
    text = (Path(__file__).parents[2] / "docs" / "model.md").read_text()
    examples = [yaml.safe_load(part.split("```")[0])["model"] for part in text.split("```yaml\n")[1:]]
    assert [len(ModelSpec.model_validate(example).layers) for example in examples] == [4, 8, 3, 8, 48]


def paths(kind: type[Spec], prefix: str = "") -> Iterator[str]:
    for name, field in kind.model_fields.items():
        parts = [field.annotation, *get_args(field.annotation)]
        inner = [part for part in parts if isinstance(part, type) and issubclass(part, Spec)]
        if not inner:
            yield prefix + name
        for part in inner:
            yield from (path for path in paths(part, f"{prefix}{name}."))
