from typing import Any

import pytest
import torch
from tests.train.trainers import FROZEN, MODEL, PAIR, PLAIN, TOKENS_BT, weights

from stacklab.model.init import build
from stacklab.model.spec import ModelSpec
from stacklab.train.optimizer import build_optimizer, optimizer_tensors
from stacklab.train.optimizer_spec import AdamWSpec
from stacklab.train.spec import ScheduleSpec, TrainSpec
from stacklab.train.step import Trainer


def trained(count: int = 3, model: dict[str, Any] | None = None, **train: Any) -> tuple[Trainer, list[float]]:
    trainer = Trainer(build(ModelSpec(**MODEL | (model or {})), seed=0), TrainSpec(**PLAIN | train), seed=0)
    return trainer, [trainer.step(step, *PAIR)[0] for step in range(count)]


def test_one_step_equals_a_slow_float64_reference() -> None:
    """Loss, gradient norm, clipping and AdamW by hand in float64."""
    model = build(ModelSpec(**MODEL), seed=0)
    trainer = Trainer(model, TrainSpec(**PLAIN), seed=0)
    slow = build(ModelSpec(**MODEL), seed=0).double()
    logits_BTV = slow.logits(slow(TOKENS_BT[:, :-1]))
    chosen = logits_BTV.log_softmax(-1).gather(-1, TOKENS_BT[:, 1:, None])
    loss = -chosen.mean()
    loss.backward()
    gradients = [parameter.grad for parameter in slow.parameters()]
    norm = torch.sqrt(sum(gradient.square().sum() for gradient in gradients))  # type: ignore[union-attr,arg-type]
    result = trainer.step(0, *PAIR)
    assert result == pytest.approx((loss.item(), norm.item()), rel=1e-5)
    spec = trainer.spec.optimizer
    for new, parameter in zip(model.parameters(), slow.parameters(), strict=True):
        assert parameter.grad is not None
        gradient = parameter.grad * min(1.0, 1.0 / (norm.item() + 1e-6))
        decay = spec.weight_decay if parameter.ndim >= 2 else 0.0
        stepped = parameter.detach() * (1 - spec.learning_rate * decay)
        stepped -= spec.learning_rate * gradient / (gradient.abs() + spec.epsilon)
        # In the first step AdamW moves by the rate times the gradient's sign, which rounding decides near zero.
        clear = gradient.abs() > 1e-6
        torch.testing.assert_close(new.detach().double()[clear], stepped[clear], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("micro", [1, 2, 4])
def test_accumulated_gradients_equal_the_large_batch(micro: int) -> None:
    """Tolerance: sums are taken in another order, so about 1e-6 of the losses after three steps."""
    whole, losses = trained()
    parts, accumulated = trained(micro_batch_size=micro)
    assert accumulated == pytest.approx(losses, rel=2e-6)
    torch.testing.assert_close(weights(parts), weights(whole), rtol=1e-4, atol=2e-5)


def test_a_repeated_run_is_bit_identical_and_another_dropout_seed_is_not() -> None:
    (a, first), (b, second) = (trained(model={"dropout": 0.1, "attention_dropout": 0.1}) for _ in range(2))
    assert first == second
    assert torch.equal(weights(a), weights(b))
    other = Trainer(build(ModelSpec(**MODEL | {"dropout": 0.1}), seed=0), TrainSpec(**PLAIN), seed=1)
    assert [other.step(step, *PAIR)[0] for step in range(3)] != first


@pytest.mark.parametrize(
    "change",
    [
        {"optimizer": AdamWSpec(learning_rate=1e-3)},
        {"optimizer": AdamWSpec(betas=(0.5, 0.95))},
        {"optimizer": AdamWSpec(betas=(0.9, 0.5))},
        {"optimizer": AdamWSpec(epsilon=1e-2)},
        {"optimizer": AdamWSpec(weight_decay=0.9)},
        {"optimizer": AdamWSpec(clip_norm=1e-3)},
        {"schedule": ScheduleSpec(warmup_steps=2)},
        {"schedule": ScheduleSpec(warmup_steps=0, kind="constant")},
        {"schedule": ScheduleSpec(warmup_steps=0, final_ratio=0.9)},
        {"steps": 3},
        {"precision": "bf16"},
    ],
)
def test_every_setting_acts(change: dict[str, Any]) -> None:
    assert not torch.equal(weights(trained(**change)[0]), weights(trained()[0]))


def test_the_size_of_the_loss_chunk_changes_memory_not_the_result() -> None:
    torch.testing.assert_close(weights(trained(loss_chunk_rows=5)[0]), weights(trained()[0]), rtol=1e-4, atol=1e-5)


def test_matrices_are_decayed_and_norms_are_not() -> None:
    model = build(ModelSpec(**MODEL), seed=0)
    decayed, plain = build_optimizer(model, AdamWSpec()).param_groups
    assert decayed["weight_decay"] == 0.1
    assert plain["weight_decay"] == 0.0
    assert all(parameter.ndim == 2 for parameter in decayed["params"])
    assert len(plain["params"]) == 10


def test_identity_terms_are_trained_but_not_decayed() -> None:
    model = build(ModelSpec(**MODEL | {"attention_identity": 0.2}), seed=0)
    _, plain = build_optimizer(model, AdamWSpec()).param_groups
    assert len(plain["params"]) == 12
    trainer, _ = trained(model={"attention_identity": 0.2})
    for block in trainer.model.blocks:
        assert (block.attention.identity_H != 0.2).all()


def test_a_frozen_table_stays_as_it_was_drawn_and_has_no_state() -> None:
    spec = ModelSpec(**MODEL | FROZEN)
    drawn = build(spec, seed=0).token_embedding.weight
    trainer, _ = trained(model=FROZEN, optimizer=AdamWSpec(weight_decay=0.5))
    assert torch.equal(trainer.model.token_embedding.weight, drawn)
    assert not torch.equal(trainer.model.head.weight, build(spec, seed=0).head.weight)
    names = optimizer_tensors(trainer.model, trainer.optimizer, trainer.spec.optimizer)
    assert "head.weight/exp_avg" in names
    assert not any(name.startswith("token_embedding") for name in names)


def test_a_stack_without_layers_learns() -> None:
    _, losses = trained(count=10, model={"num_layers": 0}, optimizer=AdamWSpec(learning_rate=0.1))
    assert losses[-1] < losses[0] - 1
