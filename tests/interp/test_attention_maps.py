"""Maps times values, merged by hand, against what the fast path of each layer gives."""

from typing import Any

import pytest
import torch
from torch import Tensor

from stacklab.interp.attention_maps import attention_maps
from stacklab.model.attention import Attention
from stacklab.model.init import build
from stacklab.model.spec import ModelSpec

SMALL: dict[str, Any] = {
    "vocab_size": 13,
    "d_model": 12,
    "num_layers": 3,
    "num_heads": [1, 2, 4],
    "context_length": 9,
    "init": {"std": 0.4},
}
IDS_BT = torch.arange(18).reshape(2, 9) * 5 % 13


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"mask": "full", "window": [None, 2, 4]},
        {"window": 3, "norm": {"placement": "post"}, "linear_bias": True},
        {"attention_identity": 0.3, "d_ff": 0, "norm": {"placement": "none"}, "attention_scale": "none"},
        {"attention_dropout": 0.5, "dropout": 0.5, "layer_drop": 0.5},
        {"d_model": 16, "num_kv_heads": [1, 1, 2], "position": "rotary", "norm": {"kind": "rms"}},
        {"norm": {"placement": "peri"}, "qk_norm": "projection"},
        {"norm": {"placement": "reordered"}, "qk_norm": "head", "residual": "rezero"},
    ],
    ids=str,
)
def test_maps_times_values_are_the_layers_output(change: dict[str, Any]) -> None:
    model = build(ModelSpec.model_validate(SMALL | change), seed=0).double()
    seen: list[tuple[Attention, Tensor, Tensor]] = []
    for block in model.blocks:
        block.attention.register_forward_hook(lambda layer, inputs, output: seen.append((layer, inputs[0], output)))
    maps = attention_maps(model, IDS_BT)
    assert [a_BHTT.shape for a_BHTT in maps] == [(2, heads, 9, 9) for heads in (1, 2, 4)]
    for a_BHTT, (layer, x_BTD, o_BTD) in zip(maps, seen, strict=True):
        torch.testing.assert_close(a_BHTT.sum(-1), torch.ones(a_BHTT.shape[:-1], dtype=torch.float64))
        heads, each = layer.num_heads, layer.num_heads // layer.num_kv_heads
        values = layer.query_key_value(x_BTD).split(x_BTD.shape[-1] // heads, -1)[-layer.num_kv_heads :]
        mixed = [a_BHTT[:, h] @ values[h // each] for h in range(heads)]
        torch.testing.assert_close(layer.output(torch.cat(mixed, -1)), o_BTD)
    causal = "mask" not in change
    assert bool((maps[0].triu(1) == 0).all()) == causal


def test_no_layers_have_no_maps() -> None:
    assert attention_maps(build(ModelSpec(**SMALL | {"num_layers": 0, "num_heads": 1}), seed=0), IDS_BT) == []
