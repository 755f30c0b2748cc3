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
