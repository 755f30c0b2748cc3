"""All initialisation in one place."""

import torch
from torch import nn

from stacklab.base.streams import stream_seed
from stacklab.model.parametrisation import initial_std, value_factor
from stacklab.model.spec import ModelSpec
from stacklab.model.transformer import Transformer


def initialise(model: Transformer, *, seed: int) -> None:
    """Normal weights of the parametrisation's deviation, zero biases, unit norms, and the spec's identity terms.

    Each tensor draws from a stream named after it, so the tables and the first layers start equal in arms of equal
    width and different depth.
    """
    for name, parameter in model.named_parameters():
        if parameter.ndim < 2:
            nn.init.constant_(parameter, _constant(model.spec, name))
            continue
        generator = torch.Generator(device="cpu").manual_seed(stream_seed(seed, "init", name))
        with torch.no_grad():
            std = initial_std(model.spec, name)
            drawn = torch.empty_like(parameter, device="cpu").normal_(0.0, std, generator=generator)
            if name.endswith("attention.query_key_value.weight"):
                # The last rows: those of the values, as many as of the keys.
                drawn[(len(drawn) + model.spec.d_model) // 2 :] *= value_factor(model.spec)
            parameter.copy_(drawn)


def build(spec: ModelSpec, *, seed: int, device: str = "cpu") -> Transformer:
    """A freshly initialised stack on `device`."""
    with torch.device("meta"):
        model = Transformer(spec)
    model = model.to_empty(device=device)
    initialise(model, seed=seed)
    return model


def _constant(spec: ModelSpec, name: str) -> float:
    if name.endswith("identity_H"):
        assert spec.attention_identity is not None, "there is no such parameter otherwise"
        return spec.attention_identity
    return 1.0 if name.endswith("norm.weight") else 0.0
