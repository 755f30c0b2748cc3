"""What comparisons with other implementations share."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

FUSED = {
    "attention.query_key_value": [("self_attn.q_proj", 24), ("self_attn.k_proj", 12), ("self_attn.v_proj", 12)],
    "feed_forward.expand": [("mlp.gate_proj", 20), ("mlp.up_proj", 20)],
}
OUTER = {"model.embed_tokens": "token_embedding", "model.norm": "final_norm", "lm_head": "head"}


def named_as_llama(values: Mapping[str, Tensor], layer_names: Mapping[str, str]) -> dict[str, Tensor]:
    """Our tensors of two layers of d_model 24 under the names that Llama's descendants in transformers share, fused
    maps taken apart. layer_names: theirs -> ours, within a layer. A norm of embeddings has no name there."""
    ours = {name.removesuffix(".weight"): value for name, value in values.items()}
    ours.pop("embedding_norm", None)
    named = {theirs: ours.pop(mine) for theirs, mine in OUTER.items() if mine in ours}
    for layer in range(2):
        for theirs, mine in layer_names.items():
            named[f"model.layers.{layer}.{theirs}"] = ours.pop(f"blocks.{layer}.{mine}")
        for mine, parts in FUSED.items():
            split = ours.pop(f"blocks.{layer}.{mine}").split([rows for _, rows in parts])
            named |= {f"model.layers.{layer}.{name}": part for (name, _), part in zip(parts, split, strict=True)}
    assert not ours
    return {f"{name}.weight": value for name, value in named.items()}


@torch.no_grad()
def disturb(values: Iterable[Tensor]) -> None:
    """Change tensors in place: biases of 0 and norms of 1 would hide whether and where they act."""
    for value in values:
        value += torch.linspace(-0.1, 0.2, value.numel()).view_as(value)


@torch.no_grad()
def fill(theirs: Mapping[str, Tensor], ours: Mapping[str, Tensor]) -> None:
    """Copy our tensors, under the peer's names, into all of the peer's."""
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        value.copy_(ours[name])


def gradient(parameter: Tensor) -> Tensor:
    assert parameter.grad is not None
    return parameter.grad


def assert_gradients_agree(ours: Mapping[str, Tensor], theirs: Mapping[str, torch.nn.Parameter]) -> None:
    """Under the peer's names, to 1e-5 of the largest of each tensor."""
    for name, value in theirs.items():
        wanted = gradient(value)
        worst = (ours[name] - wanted).abs().max() / wanted.abs().max()
        assert worst < 1e-5, name
