"""The number formats of a step: fp32 master weights and sums, low precision in products alone."""

from typing import Any

import pytest
import torch
from tests.train.trainers import MODEL, PAIR, PLAIN

from stacklab.model.block import Block
from stacklab.model.init import build
from stacklab.model.linear import Linear
from stacklab.model.spec import ModelSpec
from stacklab.train.spec import TrainSpec
from stacklab.train.step import Trainer

MODELS: list[dict[str, Any]] = [
    {},
    {"norm": {"kind": "rms", "bias": False}, "feed_forward": "gated", "position": {"kind": "rotary"}},
    {"norm": {"placement": "post"}, "num_kv_heads": 1, "tie_embeddings": False},
]


def trainer(model: dict[str, Any], **train: Any) -> Trainer:
    return Trainer(build(ModelSpec(**MODEL | model), seed=0), TrainSpec(**PLAIN | train), seed=0)


def gradients(one: Trainer) -> tuple[float, dict[str, torch.Tensor]]:
    loss = one.loss(*PAIR, None)
    loss.backward()  # type: ignore[no-untyped-call]
    return loss.item(), {name: each.grad for name, each in one.model.named_parameters() if each.grad is not None}


@pytest.mark.parametrize("model", MODELS, ids=str)
@pytest.mark.parametrize(("precision", "error"), [("bf16", 2**-8), ("fp16", 2**-11)])
def test_a_step_in_low_precision_is_near_float64(model: dict[str, Any], precision: str, error: float) -> None:
    """A product of d numbers errs by about the format's rounding; a dozen of them follow each other here."""
    exact = trainer(model)
    exact.model.double()
    loss, expected = gradients(exact)
    low = trainer(model, precision=precision)
    own_loss, own = gradients(low)
    assert own_loss == pytest.approx(loss, rel=error)
    for name, gradient in own.items():
        assert gradient.dtype == torch.float32, name
        assert (gradient - expected[name]).norm() < 12 * error * expected[name].norm() + 1e-6, name
    assert own_loss != gradients(trainer(model))[0], "nothing was computed in low precision"


@pytest.mark.parametrize(("residual", "stream"), [("fp32", torch.float32), ("products", torch.bfloat16)])
@pytest.mark.parametrize("model", MODELS, ids=str)
def test_products_are_low_and_the_stream_is_as_stated(
    model: dict[str, Any], residual: str, stream: torch.dtype
) -> None:
    one = trainer(model | {"dropout": 0.1}, precision="bf16", residual=residual)
    formats: dict[type, set[torch.dtype]] = {Linear: set(), Block: set()}
    for part in one.model.modules():
        if type(part) in formats:
            part.register_forward_hook(lambda part, inputs, output: formats[type(part)].add(output.dtype))
    one.step(0, *PAIR)
    assert formats == {Linear: {torch.bfloat16}, Block: {stream}}
    assert {each.dtype for each in one.model.parameters()} == {torch.float32}


def test_a_step_whose_gradients_overflow_fp16_is_left_out() -> None:
    one = trainer({}, precision="fp16")
    one.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**40)
    before = [each.detach().clone() for each in one.model.parameters()]
    loss, norm = one.step(0, *PAIR)
    assert 0 < loss < 10 and norm == 0.0
    assert all(torch.equal(now, then) for now, then in zip(one.model.parameters(), before, strict=True))
    assert one.scaler.get_scale() < 2.0**40


def test_fp16_scales_the_loss_and_the_step_is_that_of_the_unscaled_one() -> None:
    scaled, plain = trainer({}, precision="fp16"), trainer({})
    assert scaled.scaler.is_enabled() and not plain.scaler.is_enabled()
    losses = [[one.step(step, *PAIR) for step in range(3)] for one in (scaled, plain)]
    for own, other in zip(*losses, strict=True):
        assert own == pytest.approx(other, rel=5e-3)
