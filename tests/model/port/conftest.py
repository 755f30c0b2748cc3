"""Small stacks in the forms of other programs."""

from typing import Any

import torch

from stacklab.model.init import build
from stacklab.model.spec import ModelSpec
from stacklab.model.transformer import Transformer

GPT2_STACK: dict[str, Any] = {
    "vocab_size": 31,
    "d_model": 12,
    "num_layers": 2,
    "num_heads": 3,
    "d_ff": 20,
    "context_length": 16,
    "activation": "gelu_tanh",
    "linear_bias": True,
    "init": {"std": 0.4},
}
GPT_NEO_STACK = GPT2_STACK | {
    "window": [None, 4],
    "attention_scale": "none",
    "linear_bias": {"output": True, "feed_forward": True},
}
IDS_BT = torch.arange(32).reshape(2, 16) * 7 % 31


def stack(fields: dict[str, Any], **others: Any) -> ModelSpec:
    return ModelSpec.model_validate(fields | others)


def filled(spec: ModelSpec) -> Transformer:
    """A model whose biases and norms are not the values that hide them."""
    model = build(spec, seed=0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += torch.linspace(-0.1, 0.2, parameter.numel()).view_as(parameter)
    return model


def tensors_of(model: Transformer) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in model.named_parameters()}


def logits(model: Transformer, ids_BT: torch.Tensor = IDS_BT) -> torch.Tensor:
    with torch.no_grad():
        return model.logits(model(ids_BT))


LLAMA_STACK: dict[str, Any] = {
    "vocab_size": 31,
    "d_model": 16,
    "num_layers": 2,
    "num_heads": 4,
    "num_kv_heads": 2,
    "d_ff": 20,
    "feed_forward": "gated",
    "activation": "silu",
    "context_length": 16,
    "position": {"kind": "rotary", "base": 500.0},
    "norm": {"kind": "rms", "epsilon": 1e-6},
    "tie_embeddings": False,
    "init": {"std": 0.4},
}
MISTRAL_STACK = LLAMA_STACK | {"window": 5}
STARCODER2_STACK = MISTRAL_STACK | {
    "feed_forward": "plain",
    "activation": "gelu_tanh",
    "linear_bias": True,
    "norm": {"kind": "layer"},
    "tie_embeddings": True,
}
RELATIVES: dict[str, dict[str, Any]] = {
    "qwen2": LLAMA_STACK | {"linear_bias": {"query_key_value": True}, "window": [None, 5]},
    "mistral": MISTRAL_STACK,
    "phi3": MISTRAL_STACK,
    "starcoder2": STARCODER2_STACK,
    "stablelm": LLAMA_STACK | {"linear_bias": {"query_key_value": True}, "norm": {"kind": "layer"}},
    "openai-gpt": GPT2_STACK | {"norm": {"placement": "post"}, "d_ff": 48},
    "gpt-bigcode": GPT2_STACK | {"num_kv_heads": 1},
    "opt": GPT2_STACK,
}
"""A stack of each form that is like GPT-2 or Llama."""
OWN_STACKS: dict[str, dict[str, Any]] = {
    "per-layer": GPT2_STACK | {"num_heads": [6, 3], "d_ff": [20, 7], "window": [3, None], "attention_scale": "none"},
    "patterns": GPT2_STACK
    | {
        "num_layers": 4,
        "window": [None, 3, None, None],
        "attention_pattern": [
            {"kind": "global", "size": 2},
            None,
            {"kind": "strided", "stride": 3, "size": 2},
            {"kind": "block", "size": 3, "neighbours": 1},
        ],
    },
    "random blocks, rotary": LLAMA_STACK
    | {
        "attention_pattern": {"kind": "random_blocks", "size": 2, "neighbours": 0, "random": 2, "last_global_blocks": 1}
    },
    "post-norm, identity": GPT2_STACK
    | {"norm": {"placement": "post"}, "attention_identity": 0.3, "position": "sinusoidal", "linear_bias": False},
    "no norms, attention alone": GPT2_STACK
    | {
        "norm": {"placement": "none"},
        "d_ff": 0,
        "position": {"kind": "factored", "period": 3},
        "tie_embeddings": False,
    },
    "shared layers": GPT2_STACK | {"num_layers": 4, "share": [0, 1, 0, 1], "window": [None, 4, None, 4]},
    "shared layers, rezero": GPT2_STACK
    | {"num_layers": 3, "share": [0, 1, 0], "norm": {"placement": "sandwich"}, "residual": "rezero"},
    "shared feed-forward": GPT2_STACK
    | {"num_heads": [6, 3, 2], "num_layers": 3, "share": {"part": "feed_forward", "blocks": [0, 1, 0]}},
    "shared attention": LLAMA_STACK
    | {"d_ff": [20, 0, 12], "num_layers": 3, "share": {"part": "attention", "blocks": [0, 1, 1]}},
    "peri, normed projections": LLAMA_STACK | {"norm": {"kind": "rms", "placement": "peri"}, "qk_norm": "projection"},
    "reordered, normed heads, rezero": GPT2_STACK
    | {"norm": {"placement": "reordered"}, "qk_norm": "head", "num_kv_heads": 1, "d_ff": [0, 20], "residual": "rezero"},
    "sandwich, depth-scaled": GPT2_STACK | {"norm": {"placement": "sandwich"}, "residual": "depth_scaled"},
    "deepnorm": GPT2_STACK | {"norm": {"placement": "post"}, "residual": "deepnorm", "position": "sinusoidal"},
    "mup, rotary, gated": LLAMA_STACK
    | {
        "num_heads": [4, 2],
        "num_kv_heads": [2, 1],
        "parametrisation": {"kind": "mup", "base_d_model": 8, "base_num_layers": 1},
    },
}
