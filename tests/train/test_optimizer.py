from typing import Any

import pytest
import torch

from stacklab.model import parametrisation as rules
from stacklab.model.init import build
from stacklab.model.spec import ModelSpec, MupSpec
from stacklab.train.optimizer import build_optimizer, load_optimizer_tensors, optimizer_tensors, set_learning_rate
from stacklab.train.optimizer_spec import AdamWSpec
from stacklab.train.spec import ScheduleSpec, TrainSpec
from stacklab.train.step import Trainer

MODEL: dict[str, Any] = {
    "vocab_size": 29,
    "d_model": 32,
    "num_layers": 4,
    "num_heads": 2,
    "context_length": 8,
    "linear_bias": True,
    "tie_embeddings": False,
    "dropout": 0.0,
    "attention_dropout": 0.0,
}
HALF = MupSpec(base_d_model=16, base_num_layers=2, depth_exponent=0.5)
TOKENS_BT = torch.arange(8 * 9).reshape(8, 9) * 11 % 29
PAIR = (TOKENS_BT[:, :-1], TOKENS_BT[:, 1:])


@pytest.mark.parametrize(
    "scaled",
    [MupSpec(base_d_model=16), MupSpec(base_d_model=8, base_num_layers=2), HALF],
    ids=["width", "both", "half"],
)
def test_every_tensor_has_the_rate_the_decay_and_the_epsilon_of_the_rules(scaled: MupSpec) -> None:
    model = build(ModelSpec(**MODEL, parametrisation=scaled), seed=0)
    spec = AdamWSpec(weight_decay=0.2, epsilon=1e-6)
    optimizer = build_optimizer(model, spec)
    set_learning_rate(optimizer, 3e-3)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    seen = set()
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            name = names[id(parameter)]
            seen.add(name)
            assert group["lr"] == pytest.approx(3e-3 * rules.learning_rate_factor(model.spec, name)), name
            assert group["eps"] == pytest.approx(1e-6 * rules.epsilon_factor(model.spec, name)), name
            # What a step of AdamW takes off a weight is rate times decay: the same for every table and matrix.
            taken = 3e-3 * 0.2 if parameter.ndim >= 2 else 0.0
            assert group["lr"] * group["weight_decay"] == pytest.approx(taken), name
    assert seen == set(names.values())


def test_the_first_step_moves_every_tensor_by_its_own_rate() -> None:
    """Adam's first step is the rate times the sign of the gradient: the largest move of a tensor is its rate."""
    spec = AdamWSpec(learning_rate=1e-3, weight_decay=0.0, epsilon=1e-12)
    model = build(ModelSpec(**MODEL, parametrisation=HALF), seed=0)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    train = TrainSpec(steps=1, batch_size=8, optimizer=spec, schedule=ScheduleSpec(warmup_steps=0))
    Trainer(model, train, seed=0).step(0, *PAIR)
    for name, parameter in model.named_parameters():
        moved = (parameter.detach() - before[name]).abs().max().item()
        assert moved == pytest.approx(1e-3 * rules.learning_rate_factor(model.spec, name), rel=1e-3), name


def test_training_at_the_bases_size_is_standard_bit_for_bit() -> None:
    ends = []
    for extra in ({}, {"parametrisation": MupSpec(base_d_model=32, base_num_layers=4, depth_exponent=0.5)}):
        model = build(ModelSpec(**MODEL | {"dropout": 0.1, "attention_dropout": 0.1} | extra), seed=0)
        trainer = Trainer(model, TrainSpec(steps=10, batch_size=8, schedule=ScheduleSpec(warmup_steps=2)), seed=0)
        losses = [trainer.step(step, *PAIR) for step in range(4)]
        ends.append((losses, torch.cat([parameter.detach().flatten() for parameter in model.parameters()])))
    assert ends[0][0] == ends[1][0]
    assert torch.equal(ends[0][1], ends[1][1])


@pytest.mark.gpu
def test_restored_state_lies_where_the_first_step_put_it() -> None:
    """On a card: a counter on the CPU would be read by the card at an address of the host."""
    one, other = (
        Trainer(build(ModelSpec(**MODEL), seed=0, device="cuda"), TrainSpec(batch_size=8, compile="off"), seed=0)
        for _ in "ab"
    )
    one.step(0, *PAIR)
    tensors = optimizer_tensors(one.model, one.optimizer, one.spec.optimizer)
    load_optimizer_tensors(other.model, other.optimizer, other.spec.optimizer, tensors)
    restored = optimizer_tensors(other.model, other.optimizer, other.spec.optimizer)
    assert {name: each.device for name, each in restored.items()} == {
        name: each.device for name, each in tensors.items()
    }
    other.step(1, *PAIR)
