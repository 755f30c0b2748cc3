"""Closed formulas against the built model and torch's own counter."""

from typing import Any

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from stacklab.model.count import count_parameters, flops_per_token, measure
from stacklab.model.spec import ModelSpec, NormSpec
from stacklab.model.transformer import Transformer

PAPER: dict[str, Any] = {"vocab_size": 151_665, "d_model": 384, "num_heads": 8, "context_length": 512}
VARIANTS: list[dict[str, Any]] = [
    {},
    {"num_layers": 0},
    {"num_heads": [1, 4, 8], "d_ff": [8, 64, 16], "num_layers": 3},
    {"linear_bias": True, "tie_embeddings": False},
    {"position": "none", "norm": NormSpec(bias=False)},
    {"position": "sinusoidal", "norm": NormSpec(placement="post")},
]


@pytest.mark.parametrize("change", VARIANTS)
def test_parameters_equal_the_built_model(change: dict[str, Any]) -> None:
    spec = ModelSpec(**{"vocab_size": 97, "d_model": 32, "num_layers": 2, "context_length": 24} | change)
    with torch.device("meta"):
        built = sum(parameter.numel() for parameter in Transformer(spec).parameters())
    assert count_parameters(spec).total == built


@pytest.mark.parametrize("change", VARIANTS)
def test_flops_equal_torchs_counter(change: dict[str, Any]) -> None:
    spec = ModelSpec(**{"vocab_size": 97, "d_model": 32, "num_layers": 2, "context_length": 24} | change)
    with torch.device("meta"):
        model = Transformer(spec)
        ids_BT = torch.zeros(3, 24, dtype=torch.long)
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        model.logits(model(ids_BT)).sum().backward()
    # The first layer's input gradient is not computed where nothing below it is trained; tables always are.
    assert counter.get_total_flops() == flops_per_token(spec, context=24) * 3 * 24


@pytest.mark.parametrize(("layers", "total"), [(1, 60_207_744), (12, 79_688_832)])
def test_the_source_counts_are_exact(layers: int, total: int) -> None:
    assert count_parameters(ModelSpec(num_layers=layers, **PAPER)).total == total


@pytest.mark.parametrize(("layers", "millions"), [(1, 60.51), (12, 79.99)])
def test_the_stated_settings_give_other_counts(layers: int, millions: float) -> None:
    stated = PAPER | {"vocab_size": 151_936, "context_length": 1028}
    assert round(count_parameters(ModelSpec(num_layers=layers, **stated)).total / 1e6, 2) == millions


def test_about_600_is_not_the_width_of_equal_size() -> None:
    """The source's own suggestion for its control, against what it would have been."""
    wide = ModelSpec(num_layers=1, **PAPER | {"d_model": 600})
    assert round(measure(wide, "total_parameters", context=512) / 1e6, 1) == 95.6
