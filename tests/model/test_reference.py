"""Logits and gradients against the slow float64 stack of reference.py, component by component and together."""

from typing import Any

import pytest
import torch
from tests.model.reference import Reference

from stacklab.model.init import build
from stacklab.model.spec import ModelSpec

SMALL: dict[str, Any] = {
    "vocab_size": 13,
    "d_model": 8,
    "num_layers": 2,
    "num_heads": 2,
    "d_ff": 12,
    "context_length": 7,
    "init": {"std": 0.5},
}
IDS_BT = torch.tensor([[1, 4, 4, 9, 12, 0, 4], [3, 3, 7, 1, 5, 9, 11]])
VARIANTS: list[dict[str, Any]] = [
    {},
    {"num_layers": 0},
    {"num_layers": 0, "norm": {"placement": "none"}, "position": "none"},
    {"d_ff": 0},
    {"d_ff": [0, 12], "num_heads": [4, 1], "norm": {"placement": "post"}},
    {"norm": {"placement": "none"}},
    {"norm": {"placement": "none", "final": True}},
    {"norm": {"placement": "post", "final": True, "bias": False}},
    {"norm": {"placement": "pre", "final": False, "epsilon": 0.1}},
    {"mask": "full"},
    {"mask": "full", "window": [2, None], "position": "sinusoidal"},
    {"window": 3},
    {"attention_pattern": [{"kind": "global", "size": 2, "tokens": 2}, {"kind": "strided", "stride": 3, "size": 2}]},
    {
        "mask": "full",
        "attention_pattern": [{"kind": "block", "size": 3, "neighbours": 1}, {"kind": "global", "size": 1}],
    },
    {"position": {"kind": "factored", "period": 3}},
    {"attention_identity": 0.2, "num_heads": [1, 4]},
    {"attention_identity": -0.3, "attention_scale": "none", "norm": {"placement": "post"}},
    {"attention_scale": "none", "activation": "gelu_tanh"},
    {"num_layers": 4, "share": [0, 1, 1, 0], "linear_bias": True},
    {
        "num_layers": 3,
        "share": {"part": "attention", "cycle": 1},
        "d_ff": [0, 12, 4],
        "norm": {"placement": "post"},
    },
    {"num_layers": 3, "share": {"part": "feed_forward", "cycle": 2}, "num_heads": [2, 1, 4], "window": [None, 2, 3]},
    {  # GPT-Neo with heads of its own in each layer.
        "attention_scale": "none",
        "activation": "gelu_tanh",
        "num_heads": [8, 2],
        "window": [None, 3],
        "linear_bias": {"output": True, "feed_forward": True},
    },
    {"linear_bias": True, "activation": "relu"},
    {"linear_bias": {"output": True, "feed_forward": True}, "activation": "silu"},
    {"linear_bias": {"query_key_value": True}},
    {"token_table": "frozen", "tie_embeddings": False},
    {"norm": {"kind": "rms", "epsilon": 0.1}},
    {"norm": {"kind": "rms", "placement": "post", "final": True}, "feed_forward": "gated", "linear_bias": True},
    {"norm": {"placement": "sandwich"}},
    {"norm": {"placement": "sandwich", "kind": "rms", "final": False}, "d_ff": [12, 0]},
    {"norm": {"placement": "peri"}, "token_table": "frozen", "tie_embeddings": False},
    {"norm": {"placement": "peri", "kind": "rms"}, "position": "sinusoidal", "num_layers": 0},
    {"norm": {"placement": "reordered"}, "position": "rotary"},
    {"norm": {"placement": "reordered", "kind": "rms"}, "qk_norm": "projection", "num_heads": 4, "num_kv_heads": 2},
    {"qk_norm": "projection", "num_heads": [1, 4], "linear_bias": True},
    {"qk_norm": "head", "num_heads": [1, 4], "position": "rotary", "attention_identity": 0.2},
    {"qk_norm": "head", "norm": {"placement": "none", "kind": "rms"}, "num_heads": 4, "num_kv_heads": [2, 1]},
    {"residual": "depth_scaled", "d_ff": [12, 0]},
    {"residual": "depth_scaled", "norm": {"placement": "sandwich"}},
    {"residual": "deepnorm", "norm": {"placement": "post"}, "d_ff": [0, 12]},
    {"residual": "rezero", "norm": {"placement": "none"}, "d_ff": [0, 12]},
    {"residual": "rezero", "norm": {"placement": "reordered"}},
    {"position": "rotary"},
    {"position": {"kind": "rotary", "base": 7.0}, "num_heads": [1, 4], "mask": "full", "window": [None, 2]},
    {"feed_forward": "gated", "d_ff": [0, 12], "activation": "silu"},
    {"num_heads": 4, "num_kv_heads": [2, 1], "linear_bias": {"query_key_value": True}},
    {"num_heads": 4, "num_kv_heads": 2, "position": "rotary", "attention_identity": 0.2, "attention_scale": "none"},
    {
        "d_ff": 0,
        "norm": {"final": False},
        "mask": "full",
        "window": 4,
        "position": {"kind": "factored", "period": 4},
        "token_table": "frozen",
        "tie_embeddings": False,
        "attention_identity": 0.2,
        "linear_bias": {"output": True},
        "init": {"std": 0.5, "token_std": 1.0, "position_std": 1.0},
    },
]


@pytest.mark.parametrize("change", VARIANTS, ids=str)
def test_logits_and_gradients(change: dict[str, Any]) -> None:
    spec = ModelSpec.model_validate(SMALL | change)
    model = build(spec, seed=1).double()
    with torch.no_grad():
        for parameter in model.parameters():
            # Biases of 0, norms of 1 and equal identity terms would hide where they act.
            parameter += torch.linspace(-0.1, 0.2, parameter.numel(), dtype=torch.float64).view_as(parameter)
    weights = {name: value.detach().clone().requires_grad_() for name, value in model.named_parameters()}
    actual, expected = model.logits(model(IDS_BT)), Reference(spec, weights).logits(IDS_BT)
    # The model makes its sines in float32.
    close = {"rtol": 1e-5, "atol": 1e-5} if spec.position.kind == "sinusoidal" else {"rtol": 1e-9, "atol": 1e-9}
    torch.testing.assert_close(actual, expected, **close)
    direction = torch.linspace(-1, 2, expected.numel(), dtype=torch.float64).view_as(expected)
    actual.backward(direction)
    expected.backward(direction)
    for name, parameter in model.named_parameters():
        if spec.token_table == "frozen" and name == "token_embedding.weight":
            assert parameter.grad is None
        else:
            torch.testing.assert_close(
                parameter.grad, weights[name].grad, **close, msg=lambda text, name=name: f"{name}: {text}"
            )
