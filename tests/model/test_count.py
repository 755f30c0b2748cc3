"""Closed formulas against the built model and torch's own counter."""

from typing import Any

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from stacklab.model.count import count_parameters, estimate_memory, flops_per_token, measure, visible_flops_per_token
from stacklab.model.spec import ModelSpec, NormSpec
from stacklab.model.transformer import Transformer

PAPER: dict[str, Any] = {"vocab_size": 151_665, "d_model": 384, "num_heads": 8, "context_length": 512}
SMALL: dict[str, Any] = {"vocab_size": 97, "d_model": 32, "num_layers": 2, "context_length": 24}
FROZEN: dict[str, Any] = {"token_table": "frozen", "tie_embeddings": False}
LLAMA: dict[str, Any] = {
    "num_heads": 4,
    "num_kv_heads": 2,
    "feed_forward": "gated",
    "activation": "silu",
    "position": "rotary",
    "norm": {"kind": "rms"},
    "tie_embeddings": False,
}
VARIANTS: list[dict[str, Any]] = [
    {},
    {"num_layers": 0},
    {"num_heads": [1, 4, 8], "d_ff": [8, 64, 16], "num_layers": 3},
    {"linear_bias": True, "tie_embeddings": False},
    {"position": "none", "norm": NormSpec(bias=False)},
    {"position": "sinusoidal", "norm": NormSpec(placement="post")},
    {"d_ff": 0},
    {"d_ff": [0, 64, 0], "num_layers": 3, "linear_bias": {"output": True, "feed_forward": True}},
    {"linear_bias": {"query_key_value": True}, "norm": NormSpec(placement="none")},
    {"norm": NormSpec(placement="none", final=True), "mask": "full"},
    {"norm": NormSpec(placement="post", final=True)},
    {"norm": NormSpec(final=False), "position": {"kind": "factored", "period": 5}},
    {"attention_identity": 0.2, "num_heads": [1, 8], "attention_scale": "none"},
    LLAMA,
    LLAMA | {"num_kv_heads": [2, 1], "linear_bias": True, "tie_embeddings": True, "attention_identity": 0.2},
    LLAMA | {"norm": NormSpec(kind="rms", placement="none"), "token_table": "frozen"},
    {"norm": NormSpec(placement="sandwich"), "d_ff": [0, 64]},
    {"norm": NormSpec(placement="reordered", kind="rms"), "qk_norm": "projection", "num_heads": 8, "num_kv_heads": 2},
    {"qk_norm": "head", "num_heads": [1, 8], "residual": "rezero", "d_ff": [0, 64], "norm": NormSpec(placement="none")},
    {"residual": "deepnorm", "norm": NormSpec(placement="post")},
    FROZEN | {"position": "none", "norm": NormSpec(placement="peri")},
    FROZEN | {"position": "none", "norm": NormSpec(placement="peri", final=False), "num_layers": 0},
    FROZEN | {"position": "none", "norm": NormSpec(placement="reordered")},
    FROZEN,
    FROZEN | {"position": "none", "norm": NormSpec(placement="none"), "attention_identity": 0.2},
    FROZEN | {"position": "sinusoidal", "norm": NormSpec(placement="post")},
    FROZEN | {"position": "none", "num_layers": 0},
    FROZEN | {"position": "none", "num_layers": 0, "norm": NormSpec(final=False)},
    FROZEN | {"position": {"kind": "factored", "period": 4}, "norm": NormSpec(placement="none")},
    {"num_layers": 4, "share": {"groups": 2}, "linear_bias": True},
    {"num_layers": 4, "share": {"part": "attention", "cycle": 2}, "d_ff": [8, 0, 16, 4]},
    {"num_layers": 3, "share": {"part": "feed_forward", "cycle": 1}, "num_heads": [1, 4, 8]},
    LLAMA
    | {"num_layers": 3, "share": "all", "attention_identity": 0.2, "norm": NormSpec(kind="rms", placement="post")},
    FROZEN | {"position": "none", "norm": NormSpec(placement="none"), "share": "all"},
]
GPT_NEO: dict[str, Any] = {
    "vocab_size": 50_257,
    "d_model": 768,
    "num_layers": 4,
    "context_length": 2048,
    "window": [None, 256, None, 256],
    "activation": "gelu_tanh",
    "attention_scale": "none",
    "linear_bias": {"output": True, "feed_forward": True},
}


@pytest.mark.parametrize("change", VARIANTS)
def test_parameters_equal_the_built_model(change: dict[str, Any]) -> None:
    spec = ModelSpec.model_validate(SMALL | change)
    with torch.device("meta"):
        parameters = list(Transformer(spec).parameters())
    count = count_parameters(spec)
    assert count.total == sum(parameter.numel() for parameter in parameters)
    assert count.trained == sum(parameter.numel() for parameter in parameters if parameter.requires_grad)


@pytest.mark.parametrize("change", VARIANTS)
def test_flops_equal_torchs_counter(change: dict[str, Any]) -> None:
    spec = ModelSpec.model_validate(SMALL | change)
    with torch.device("meta"):
        model = Transformer(spec)
        ids_BT = torch.zeros(3, 24, dtype=torch.long)
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        model.logits(model(ids_BT)).sum().backward()
    assert counter.get_total_flops() == flops_per_token(spec, context=24) * 3 * 24


SEEN: list[tuple[dict[str, Any], int]] = [
    ({"mask": "full"}, 23),
    ({}, 12),
    ({"window": 1}, 1),
    ({"mask": "full", "attention_pattern": {"kind": "strided", "stride": 23}}, 1),
    ({"attention_pattern": {"kind": "block", "size": 23}}, 12),
]
"""What is seen of 23 positions, and the number of keys that a query sees on average."""


@pytest.mark.parametrize("change", [{}, {"attention_identity": 0.2}, LLAMA, FROZEN], ids=str)
@pytest.mark.parametrize(("seen", "keys"), SEEN, ids=str)
def test_visible_flops_are_those_of_as_many_keys_as_are_seen(
    seen: dict[str, Any], keys: int, change: dict[str, Any]
) -> None:
    spec = ModelSpec.model_validate(SMALL | change | seen)
    assert visible_flops_per_token(spec, context=23) == flops_per_token(spec, context=keys)


def test_visible_flops_add_up_over_layers() -> None:
    """Of 8 positions, a window of 2 shows 15 pairs and a causal mask 36; each is 12 d_model operations."""
    spec = ModelSpec.model_validate(SMALL | {"window": [2, None]})
    assert visible_flops_per_token(spec, context=8) == flops_per_token(spec, context=0) + -(-12 * 32 * (15 + 36) // 8)


@pytest.mark.parametrize(("layers", "total"), [(1, 60_207_744), (12, 79_688_832)])
def test_the_source_counts_are_exact(layers: int, total: int) -> None:
    assert count_parameters(ModelSpec(num_layers=layers, **PAPER)).total == total


@pytest.mark.parametrize(("layers", "millions"), [(1, 60.51), (12, 79.99)])
def test_the_stated_settings_give_other_counts(layers: int, millions: float) -> None:
    stated = PAPER | {"vocab_size": 151_936, "context_length": 1028}
    assert round(count_parameters(ModelSpec(num_layers=layers, **stated)).total / 1e6, 2) == millions


@pytest.mark.parametrize("heads", [12, 24, 48, [3, 6, 12, 24], [48, 24, 12, 6], [12, 24, 48, 96]], ids=str)
def test_gpt_neo_has_the_sources_parameters_whatever_its_heads(heads: int | list[int]) -> None:
    spec = ModelSpec.model_validate(GPT_NEO | {"num_heads": heads})
    with torch.device("meta"):
        built = sum(parameter.numel() for parameter in Transformer(spec).parameters())
    assert built == count_parameters(spec).total == 68_514_048


def test_what_is_not_there_takes_no_memory() -> None:
    """A frozen table has neither gradient nor moments, a layer without feed-forward keeps less."""
    usual, less = (
        estimate_memory(
            ModelSpec.model_validate(PAPER | change), micro_batch=2, context=64, loss_chunk_rows=8, optimizer_tensors=2
        )
        for change in ({"tie_embeddings": False}, FROZEN | {"d_ff": 0})
    )
    parts = count_parameters(ModelSpec.model_validate(PAPER | FROZEN | {"d_ff": 0}))
    assert less.gradients * 2 == less.optimizer == 8 * (parts.total - 151_665 * 384)
    assert less.weights == 4 * parts.total
    assert less.activations < usual.activations / 2


def test_about_600_is_not_the_width_of_equal_size() -> None:
    """The source's own suggestion for its control, against what it would have been."""
    wide = ModelSpec(num_layers=1, **PAPER | {"d_model": 600})
    assert round(measure(wide, "total_parameters", context=512) / 1e6, 1) == 95.6
