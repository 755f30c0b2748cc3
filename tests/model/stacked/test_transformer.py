"""A stack of models gives what each model gives: values and gradients, for every kind of layer."""

from typing import Any

import pytest
import torch
from torch import Tensor

from stacklab.model.init import build
from stacklab.model.patterns.kinds import GlobalPattern, RandomBlocksPattern
from stacklab.model.positions.kinds import FactoredPositions
from stacklab.model.spec import InitSpec, ModelSpec, NormSpec
from stacklab.model.stacked.ops import AS_WEIGHTS, StackComputation
from stacklab.model.stacked.transformer import StackedTransformer
from stacklab.model.transformer import Transformer

BASE: dict[str, Any] = {
    "vocab_size": 11,
    "d_model": 12,
    "num_layers": 2,
    "num_heads": 2,
    "context_length": 8,
    "dropout": 0.0,
    "attention_dropout": 0.0,
    "init": InitSpec(std=0.3),
}
KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "one head, attention alone": {"num_heads": 1, "d_ff": 0, "tie_embeddings": False},
    "one head with identity": {"num_heads": 1, "attention_identity": 0.2},
    "identity": {"attention_identity": 0.2, "position": FactoredPositions(period=3)},
    "biases": {"linear_bias": True, "num_layers": 3},
    "one head, biases": {"linear_bias": True, "num_heads": 1},
    "after the sum": {"norm": NormSpec(placement="post"), "activation": "relu", "linear_bias": True},
    "no norm": {"norm": NormSpec(placement="none"), "attention_scale": "none", "position": "none"},
    "windows, both ways": {"mask": "full", "window": 3, "position": "sinusoidal"},
    "patterns": {"attention_pattern": (GlobalPattern(size=2), RandomBlocksPattern(size=1, neighbours=0, random=1))},
    "no layers": {"num_layers": 0},
    "one layer, frozen": {
        "num_layers": 1,
        "token_table": "frozen",
        "tie_embeddings": False,
        "norm": NormSpec(bias=False),
    },
    "shared layers": {"num_layers": 4, "share": (0, 1, 1, 0), "linear_bias": True},
    "shared attention": {"num_layers": 3, "share": {"part": "attention", "cycle": 1}, "d_ff": (8, 0, 12)},
    "shared feed-forward": {"num_layers": 3, "share": {"part": "feed_forward", "cycle": 2}, "num_heads": (1, 2, 4)},
    "heads of layers": {"num_heads": (1, 4), "d_ff": (0, 8)},
}


def models_of(spec: ModelSpec) -> list[Transformer]:
    models = [build(spec, seed=seed).double() for seed in range(3)]
    for number, model in enumerate(models):
        # Norms and biases start as if they were not there.
        for name, parameter in model.named_parameters():
            if parameter.ndim < 2 and "identity" not in name:
                generator = torch.Generator().manual_seed(number)
                parameter.data += torch.empty_like(parameter).normal_(0, 0.3, generator=generator)
    return models


def stacked(models: list[Transformer]) -> dict[str, Tensor]:
    return {
        name: torch.stack([model.get_parameter(name).detach() for model in models]).requires_grad_(one.requires_grad)
        for name, one in models[0].named_parameters()
    }


FUSED = StackComputation(fused_attention=True)


def check_gradients(parameters: dict[str, Tensor], number: int, model: Transformer) -> None:
    """Those of one replica are those of its model."""
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            gradient = parameters[name].grad
            own = torch.zeros_like(parameter) if gradient is None else gradient[number]
            wanted = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            torch.testing.assert_close(own, wanted, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.parametrize("computation", [AS_WEIGHTS, FUSED], ids=["own kernels", "torch's"])
@pytest.mark.parametrize("columns", [[7], [2, 5, 6], list(range(8))], ids=["the last", "some", "all"])
@pytest.mark.parametrize("batch", [3, 40], ids=["few", "many"])
@pytest.mark.parametrize("kind", KINDS)
def test_values_and_gradients_are_those_of_each_model(
    kind: str, batch: int, columns: list[int], computation: StackComputation
) -> None:
    spec = ModelSpec(**BASE | KINDS[kind])
    models, generator = models_of(spec), torch.Generator().manual_seed(1)
    ids_RBT = torch.randint(0, 11, (3, batch, 8), generator=generator)
    parameters = stacked(models)
    weights = torch.randn((3, batch, len(columns), 11), generator=generator, dtype=torch.float64)
    logits_RBCV = StackedTransformer(spec, computation).logits(parameters, ids_RBT, torch.tensor(columns))
    (logits_RBCV * weights).sum().backward()
    for number, model in enumerate(models):
        wanted_BCV = model.logits(model(ids_RBT[number]))[:, columns]
        torch.testing.assert_close(logits_RBCV[number], wanted_BCV)
        (wanted_BCV * weights[number]).sum().backward()
        check_gradients(parameters, number, model)


@pytest.mark.parametrize("kind", KINDS)
def test_hidden_states_and_the_table_are_those_of_each_model(kind: str) -> None:
    """For a loss that never holds the logits: the table's gradient comes from the look-up and from the head."""
    spec = ModelSpec(**BASE | KINDS[kind])
    models, generator = models_of(spec), torch.Generator().manual_seed(1)
    ids_RBT = torch.randint(0, 11, (3, 4, 8), generator=generator)
    parameters = stacked(models)
    weights = torch.randn((3, 32, 11), generator=generator, dtype=torch.float64)
    hidden_RND, tables = StackedTransformer(spec).with_head(parameters, ids_RBT)
    ((hidden_RND @ torch.stack(tables).transpose(1, 2)) * weights).sum().backward()
    for number, model in enumerate(models):
        wanted_ND = model(ids_RBT[number]).flatten(0, 1)
        torch.testing.assert_close(hidden_RND[number], wanted_ND)
        (model.logits(wanted_ND) * weights[number]).sum().backward()
        check_gradients(parameters, number, model)


LOW: list[dict[str, Any]] = [
    {},
    {"num_heads": 1, "linear_bias": True, "tie_embeddings": False},
    {"attention_identity": 0.2, "norm": NormSpec(placement="post")},
]


@pytest.mark.parametrize("stream", [None, torch.bfloat16], ids=["stream fp32", "stream bf16"])
@pytest.mark.parametrize("columns", [[7], list(range(8))], ids=["the last", "all"])
@pytest.mark.parametrize("change", LOW, ids=str)
def test_low_precision_is_near_float64(change: dict[str, Any], columns: list[int], stream: torch.dtype | None) -> None:
    """About twenty products and sums follow each other, each with the error of the format."""
    error, spec = 2**-8, ModelSpec(**BASE | change)
    exact = models_of(spec)
    ids_RBT = torch.arange(3 * 4 * 8).reshape(3, 4, 8) * 7 % 11
    gradients = {}
    for computation in (AS_WEIGHTS, StackComputation(torch.bfloat16, stream, fused_attention=True)):
        dtype = torch.float64 if computation is AS_WEIGHTS else torch.float32
        parameters = {name: each.detach().to(dtype).requires_grad_() for name, each in stacked(exact).items()}
        logits_RBCV = StackedTransformer(spec, computation).logits(
            parameters, ids_RBT, torch.tensor(columns), head_dtype=computation.product_dtype
        )
        assert logits_RBCV.dtype == (computation.product_dtype or torch.float64)
        targets = torch.arange(logits_RBCV[..., 0].numel()) % 11
        torch.nn.functional.cross_entropy(logits_RBCV.flatten(0, 2).to(dtype), targets).backward()
        gradients[computation] = {name: each.grad for name, each in parameters.items() if each.grad is not None}
    wanted, own = gradients.values()
    assert wanted.keys() == own.keys()
    for name, gradient in own.items():
        assert gradient.dtype == torch.float32, name
        for replica in range(3):
            distance = (gradient[replica] - wanted[name][replica]).norm()
            assert distance < 20 * error * wanted[name][replica].norm() + 1e-6, name
