"""Kinds of optimisers: what they state, and that nothing else is taken for one of them."""

import re

import pytest
import torch
from pydantic import ValidationError
from tests.train.trainers import MODEL, PAIR, PLAIN

from stacklab.base.spec import first_fault
from stacklab.model.init import build
from stacklab.model.spec import ModelSpec
from stacklab.train.optimizer import from_groups, optimizer_tensors
from stacklab.train.optimizer_spec import AdamWSpec, OptimizerSpec
from stacklab.train.spec import TrainSpec
from stacklab.train.step import Trainer


def test_the_kind_of_runs_made_before_there_were_kinds_is_in_no_dump() -> None:
    stated = TrainSpec.model_validate({"optimizer": {"kind": "adamw", "epsilon": 1e-7}})
    implied = TrainSpec.model_validate({"optimizer": {"epsilon": 1e-7}})
    assert stated == implied
    assert set(stated.dump()["optimizer"]) == {"learning_rate", "betas", "epsilon", "weight_decay", "clip_norm"}
    assert TrainSpec().fingerprint == "3e25e769696344a3", "as before there were kinds"


@pytest.mark.parametrize(
    ("optimizer", "message"),
    [
        ({"kind": "rmsprop"}, r"optimizer: Input tag '\(rmsprop\)' .* expected tags: '\(adamw\)'"),
        ({"learning_rate": 0}, "optimizer.learning_rate: Input should be greater than 0"),
        ({"kind": "adamw", "momentum": 0.9}, "optimizer.momentum: Extra inputs are not permitted"),
        ({"betas": [0.9]}, r"optimizer: betas must be two numbers in \[0, 1\), got \[0\.9\]"),
    ],
)
def test_other_kinds_and_settings_are_refused(optimizer: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        TrainSpec.model_validate({"optimizer": optimizer})
    assert re.match(message, first_fault(caught.value))


def test_the_state_that_is_stated_is_the_one_that_torch_keeps() -> None:
    """What checkpoints, memory and disk are computed from."""
    trainer = Trainer(build(ModelSpec(**MODEL), seed=0), TrainSpec(**PLAIN), seed=0)
    trainer.step(0, *PAIR)
    saved = optimizer_tensors(trainer.model, trainer.optimizer, trainer.spec.optimizer)
    for name, parameter in trainer.model.named_parameters():
        for key in AdamWSpec.state:
            assert saved.pop(f"{name}/{key}").shape == parameter.shape
        assert saved.pop(f"{name}/step").ndim == 0
    assert saved == {}
    assert AdamWSpec().checkpoint_bytes(7) == 7 * 12


class Undeclared(OptimizerSpec):
    """A kind that does not say which state it keeps, and which nothing builds."""

    kind: str = "undeclared"


def test_state_that_a_resume_would_lose_is_an_error() -> None:
    trainer = Trainer(build(ModelSpec(**MODEL), seed=0), TrainSpec(**PLAIN), seed=0)
    trainer.step(0, *PAIR)
    with pytest.raises(TypeError, match=r"undeclared keeps step, exp_avg, exp_avg_sq, which its spec does not declare"):
        optimizer_tensors(trainer.model, trainer.optimizer, Undeclared())


def test_a_kind_states_nothing_unless_it_says_so() -> None:
    assert not Undeclared().stacks
    Undeclared().check_parametrisation("standard")
    with pytest.raises(ValueError, match=r"undeclared has no rules for model\.parametrisation\.kind = mup, only"):
        Undeclared().check_parametrisation("mup")
    with pytest.raises(TypeError, match=r"does not build optimizer\.kind = undeclared"):
        from_groups(Undeclared(), [{"params": [torch.nn.Parameter(torch.zeros(1))]}])
