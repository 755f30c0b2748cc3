"""Which runs can be trained together."""

from typing import Any, ClassVar

import pytest
from tests.run.conftest import Bench
from tests.run.tasks import DATA, task_spec

from stacklab.model.count import count_parameters
from stacklab.model.positions.kinds import RotaryPositions
from stacklab.model.spec import InitSpec, NormSpec
from stacklab.run.stacking import BYTES_PER_PARAMETER, CARD_SHARE, TRAIN_FIELDS, group_key, most_members, why_alone
from stacklab.train.optimizer_spec import AdamWSpec, OptimizerSpec

SAME: list[dict[str, Any]] = [
    {"seed": 2},
    {"optimizer": {"learning_rate": 1e-2, "weight_decay": 0.0, "betas": (0.9, 0.99), "clip_norm": None}},
    {"schedule": {"kind": "constant"}},
    {"steps": 30, "checkpoint_every": 3},
    {"stop": {"metric": "validation.accuracy", "at_least": 0.9}, "diverged_above": 5.0},
    {"model": {"init": InitSpec(std=0.1)}},
]
OTHER: list[dict[str, Any]] = [
    {"batch_size": 8},
    {"model": {"num_heads": 2}},
    {"model": {"mask": "full"}},
    {"data": DATA.model_copy(update={"probe": 41})},
]


@pytest.mark.parametrize("change", SAME)
def test_what_changes_no_shape_shares_a_stack(change: dict[str, Any]) -> None:
    assert group_key(task_spec(**change)) == group_key(task_spec())
    assert why_alone(task_spec(**change), on_card=False) is None


@pytest.mark.parametrize("change", OTHER)
def test_what_changes_shapes_or_sequences_does_not(change: dict[str, Any]) -> None:
    assert group_key(task_spec(**change)) != group_key(task_spec())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"model": {"dropout": 0.1}}, "model.dropout = 0.1 is not supported in a stack"),
        ({"model": {"attention_dropout": 0.1}}, "model.attention_dropout = 0.1 is not supported in a stack"),
        ({"model": {"layer_drop": 0.5}}, "model.layer_drop = 0.5 is not supported in a stack"),
        ({"model": {"d_model": 640}}, "3,292,160 parameters are more than 1,000,000"),
        ({"model": {"norm": NormSpec(kind="rms")}}, "model.norm.kind = rms is not supported in a stack"),
        ({"model": {"position": RotaryPositions()}}, "model.position.kind = rotary is not supported in a stack"),
        ({"model": {"feed_forward": "gated"}}, "model.feed_forward = gated is not supported in a stack"),
        ({"model": {"num_heads": 2, "num_kv_heads": 1}}, "model.num_kv_heads = 1 is not supported in a stack"),
        ({"micro_batch_size": 8}, "micro-batches are not supported in a stack"),
        ({"precision": "bf16"}, "precision bf16 is not supported in a stack"),
    ],
)
def test_what_a_stack_cannot_do_says_why(change: dict[str, Any], reason: str) -> None:
    assert why_alone(task_spec(**change), on_card=False) == reason


def test_text_is_trained_run_by_run(bench: Bench) -> None:
    assert (
        why_alone(bench.spec(model={"dropout": 0.0}), on_card=False)
        == "runs over text are not supported in a stack on a CPU"
    )


@pytest.mark.parametrize(
    "change",
    [
        {"model": {"dropout": 0.1, "attention_dropout": 0.1}},
        {"model": {"d_model": 640}},
        {"precision": "bf16", "residual": "products"},
        {"tf32": True, "deterministic": False},
    ],
)
def test_a_card_takes_more(change: dict[str, Any]) -> None:
    assert why_alone(task_spec(**change), on_card=True) is None


def test_a_card_takes_text(bench: Bench) -> None:
    assert why_alone(bench.spec(), on_card=True) is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"model": {"layer_drop": 0.5}}, "model.layer_drop = 0.5 is not supported in a stack"),
        ({"precision": "fp16"}, "precision fp16 is not supported in a stack"),
        ({"compile": "blocks"}, "train.compile = blocks is not supported in a stack"),
        ({"device": "mps"}, "train.device = mps is not supported in a stack"),
    ],
)
def test_what_a_stack_cannot_do_on_a_card_says_why(change: dict[str, Any], reason: str) -> None:
    assert why_alone(task_spec(**change), on_card=True) == reason


def test_a_setting_of_training_that_stacks_do_not_know_is_trained_run_by_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stacklab.run.stacking.TRAIN_FIELDS", TRAIN_FIELDS - {"tf32"})
    assert why_alone(task_spec(), on_card=True) is None
    assert why_alone(task_spec(tf32=True), on_card=True) == "train.tf32 = True is not supported in a stack"


def test_the_memory_of_a_card_limits_a_stack(bench: Bench) -> None:
    """Members are limited by parameters where these dominate, and by activations and logits where those do."""
    large, batch = task_spec(model={"d_model": 640}), task_spec(batch_size=4096)
    parameters = count_parameters(large.model).total
    most = most_members(large, card_bytes=80 * 10**9, product_bytes=2)
    assert 0.5 < most * BYTES_PER_PARAMETER * parameters / (CARD_SHARE * 80e9) <= 1
    assert most_members(large, card_bytes=160 * 10**9, product_bytes=2) in (2 * most, 2 * most + 1)
    assert most_members(batch, card_bytes=10**9, product_bytes=2) < most_members(
        task_spec(), card_bytes=10**9, product_bytes=2
    )
    assert most_members(batch, card_bytes=10**9, product_bytes=4) < most_members(
        batch, card_bytes=10**9, product_bytes=2
    )
    assert most_members(bench.spec(batch_size=64), card_bytes=1, product_bytes=4) == 1, (
        "a run that may not fit is tried"
    )


def test_an_optimizer_that_stacks_do_not_know_is_trained_run_by_run() -> None:
    class Unknown(AdamWSpec):
        """A kind that says nothing of stacks."""

        stacks: ClassVar[bool] = OptimizerSpec.stacks

    spec = task_spec()
    other = spec.model_copy(update={"train": spec.train.model_copy(update={"optimizer": Unknown()})})
    assert why_alone(spec, on_card=False) is None
    assert why_alone(other, on_card=False) == "optimizer.kind = adamw is not supported in a stack"
