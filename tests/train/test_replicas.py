"""Steps of a stack against those of the trainers alone; no run changes a digit of another."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from tests.train.trainers import MODEL, PLAIN, weights
from torch import Tensor

from stacklab.model.init import build
from stacklab.model.ops import piece_size
from stacklab.model.spec import ModelSpec
from stacklab.train.evaluate import mean_loss, stacked_mean_loss
from stacklab.train.replicas import Replicas
from stacklab.train.spec import TrainSpec
from stacklab.train.step import Sequences, Trainer

STEPS = 4
DROPOUT: dict[str, Any] = {"dropout": 0.2, "attention_dropout": 0.2}
UNTIED: dict[str, Any] = {"tie_embeddings": False, "position": {"kind": "none"}, "linear_bias": True}


def trainers(
    seeds: Sequence[int], model: dict[str, Any] | None = None, device: str = "cpu", **train: Any
) -> list[Trainer]:
    spec = ModelSpec(**MODEL | (model or {}))
    train = PLAIN | {"compile": "off"} | train
    return [Trainer(build(spec, seed=seed, device=device), TrainSpec(**train), seed) for seed in seeds]


def batches(seeds: Sequence[int], step: int) -> Tensor:
    """tokens_RBT, of each seed and step."""
    return torch.stack([(torch.arange(8 * 9).reshape(8, 9) * (seed + 3) * 7 + step) % 29 for seed in seeds])


def stack_steps(own: Sequence[Trainer]) -> tuple[list[list[tuple[float, float]]], list[Tensor]]:
    """Losses and norms of each step, and the weights after them."""
    replicas, rows = Replicas(own), []
    for step in range(STEPS):
        tokens_RBT = batches([one.seed for one in own], step)
        rows.append(replicas.step([step] * len(own), tokens_RBT[..., :-1], tokens_RBT[..., 1:]))
    for place in range(len(own)):
        replicas.unload(place)
    return rows, [weights(one).cpu() for one in own]


def single_steps(one: Trainer) -> list[tuple[float, float]]:
    tokens = [batches([one.seed], step)[0] for step in range(STEPS)]
    return [one.step(step, tokens_BT[:, :-1], tokens_BT[:, 1:]) for step, tokens_BT in enumerate(tokens)]


@pytest.fixture(params=["all logits", "in chunks"])
def loss_path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways to compute the loss."""
    if request.param == "in chunks":
        monkeypatch.setattr(piece_size, "ALL_LOGITS", 0)


@pytest.mark.usefixtures("loss_path")
@pytest.mark.parametrize(("precision", "near", "apart"), [("fp32", 1e-5, 1e-3), ("bf16", 1e-2, 0.2)])
@pytest.mark.parametrize("model", [{}, UNTIED, {"num_heads": 1}, {"share": "all", "num_layers": 3}], ids=str)
def test_steps_are_those_of_the_trainer(model: dict[str, Any], precision: str, near: float, apart: float) -> None:
    """Losses and norms within `near` of each other, relatively; weights within `apart` of how far they moved."""
    seeds = (1, 2, 3)
    starts = [weights(one) for one in trainers(seeds, model)]
    rows, own = stack_steps(trainers(seeds, model, precision=precision))
    for place, one in enumerate(trainers(seeds, model, precision=precision)):
        for row, expected in zip(rows, single_steps(one), strict=True):
            assert row[place] == pytest.approx(expected, rel=near)
        moved = weights(one) - starts[place]
        assert (own[place] - weights(one)).norm() < apart * moved.norm()
    assert rows[0] != rows[1]


@pytest.mark.usefixtures("loss_path")
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("model", [{}, DROPOUT, UNTIED | DROPOUT], ids=str)
def test_company_changes_no_digit(model: dict[str, Any], precision: str) -> None:
    rows, own = stack_steps(trainers((1, 2, 3), model, precision=precision))
    others, theirs = stack_steps(trainers((9, 2), model, precision=precision))
    assert [row[1] for row in rows] == [row[1] for row in others]
    assert torch.equal(own[1], theirs[1]) and not torch.equal(own[0], theirs[0])


def test_masks_change_with_the_step_and_not_with_the_order_of_steps() -> None:
    tokens_RBT = batches((1, 1), 0)
    pair = (tokens_RBT[..., :-1], tokens_RBT[..., 1:])
    (first, second), (again, _) = (Replicas(trainers((1, 1), DROPOUT)).step(steps, *pair) for steps in ((0, 5), (0, 6)))
    assert first == again and first != second


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("model", [{}, UNTIED], ids=str)
def test_the_mean_loss_of_a_stack_is_that_of_each_model(model: dict[str, Any], precision: str) -> None:
    blocks = torch.cat(list(batches((4, 5, 6), 0))).numpy()
    own = trainers((1, 2), model | {"dropout": 0.5}, precision=precision)
    losses = stacked_mean_loss(Replicas(own), Sequences.of_blocks(blocks), chunk_rows=7)
    expected = [mean_loss(one.model, Sequences.of_blocks(blocks), chunk_rows=7) for one in own]
    assert losses == pytest.approx(expected, rel=1e-6 if precision == "fp32" else 5e-3)


def test_a_stack_holds_the_moments_alone() -> None:
    """The trainers' own would be a second copy of them; unloading restores it."""
    (one,) = trainers((1,))
    single_steps(one)
    replicas = Replicas([one])
    assert not one.optimizer.state
    replicas.unload(0)
    assert {float(state["step"]) for state in one.optimizer.state.values()} == {STEPS}


@pytest.mark.gpu
@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(("precision", "near"), [("fp32", 1e-5), ("bf16", 2e-2)])
@pytest.mark.parametrize("model", [{}, UNTIED, {"num_heads": 1}], ids=str)
def test_steps_on_a_card_are_those_of_the_trainer(
    model: dict[str, Any], precision: str, near: float, chunked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if chunked:
        monkeypatch.setattr(piece_size, "ALL_LOGITS", 0)
    seeds = (1, 2, 3)
    rows, _ = stack_steps(trainers(seeds, model, device="cuda", precision=precision))
    for place, one in enumerate(trainers(seeds, model, device="cuda", precision=precision)):
        for row, expected in zip(rows, single_steps(one), strict=True):
            assert row[place] == pytest.approx(expected, rel=near)


@pytest.mark.gpu
@pytest.mark.parametrize("model", [{}, DROPOUT], ids=str)
def test_on_a_card_other_members_change_no_digit_and_their_number_only_rounding(model: dict[str, Any]) -> None:
    torch.use_deterministic_algorithms(True)
    try:
        rows, own = stack_steps(trainers((1, 2, 3), model, device="cuda"))
        others, theirs = stack_steps(trainers((8, 2, 9), model, device="cuda"))
        fewer, _ = stack_steps(trainers((2,), model, device="cuda"))
    finally:
        torch.use_deterministic_algorithms(False)
    assert [row[1] for row in rows] == [row[1] for row in others]
    assert torch.equal(own[1], theirs[1])
    for row, expected in zip(rows, fewer, strict=True):
        assert row[1] == pytest.approx(expected[0], rel=2e-2)


@pytest.mark.gpu
def test_a_step_of_a_stack_does_not_wait_for_the_card() -> None:
    replicas = Replicas(trainers((1, 2), DROPOUT, device="cuda"))
    tokens_RBT = batches((1, 2), 0)
    pair = (tokens_RBT[..., :-1], tokens_RBT[..., 1:])
    replicas.step([0, 0], *pair)
    torch.cuda.set_sync_debug_mode("error")
    try:
        numbers_R2 = replicas.launch([1, 1], *pair)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert numbers_R2.isfinite().all()
