"""Packed records do not see each other: see DataSpec.packing."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from stacklab.model.init import build
from stacklab.model.ops import attention as kernels
from stacklab.model.ops.dropout import GENERATOR
from stacklab.model.spec import ModelSpec
from stacklab.model.transformer import Transformer
from stacklab.train.spec import TrainSpec
from stacklab.train.step import Trainer

LENGTHS = ((5, 9, 2), (16,), (1, 1, 14))
"""Lengths of the records in each of three sequences of 16 ids."""
STACK: dict[str, Any] = {
    "vocab_size": 29,
    "d_model": 16,
    "num_heads": 4,
    "num_layers": 2,
    "context_length": 16,
    "init": {"std": 0.3},
}
KINDS: dict[str, dict[str, Any]] = {
    "learned": {"position": "learned"},
    "sinusoidal": {"position": "sinusoidal"},
    "none": {"position": "none"},
    "factored": {"position": {"kind": "factored", "period": 3}},
    "rotary": {"position": "rotary", "num_kv_heads": 2},
    "window": {"window": 3, "position": "rotary"},
    "global, block": {"attention_pattern": [{"kind": "global", "size": 2}, {"kind": "block", "size": 4}]},
    "random blocks": {"attention_pattern": {"kind": "random_blocks", "size": 2, "neighbours": 0, "random": 1}},
    "identity": {"attention_identity": 0.2},
    "untied": {"tie_embeddings": False, "norm": {"placement": "post"}},
}


def stack(**change: Any) -> Transformer:
    return build(ModelSpec.model_validate(STACK | change), seed=3).double()


def packed() -> tuple[Tensor, Tensor]:
    """Ids and the positions in their records."""
    ids_BT = torch.randint(29, (3, 16), generator=torch.Generator().manual_seed(0))
    positions_BT = torch.stack([torch.cat([torch.arange(length) for length in row]) for row in LENGTHS])
    return ids_BT, positions_BT


def records() -> Iterator[tuple[int, slice]]:
    for row, lengths in enumerate(LENGTHS):
        begin = 0
        for length in lengths:
            yield row, slice(begin, begin + length)
            begin += length


@pytest.mark.parametrize("kind", KINDS)
def test_the_logits_of_a_record_are_those_of_the_record_alone(kind: str) -> None:
    model, (ids_BT, positions_BT) = stack(**KINDS[kind]), packed()
    together_BTV = model.logits(model(ids_BT, positions_BT=positions_BT))
    for row, where in records():
        alone_TV = model.logits(model(ids_BT[row : row + 1, where]))[0]
        torch.testing.assert_close(together_BTV[row, where], alone_TV, rtol=1e-12, atol=1e-12)
    stream_BTV = model.logits(model(ids_BT))
    assert not torch.allclose(stream_BTV[0, 5:], together_BTV[0, 5:])  # the packing matters


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("generator", [False, True])
def test_no_gradient_flows_between_records(kind: str, dropout: float, generator: bool) -> None:
    """Exactly none, in float64, also through our own dropped attention."""
    model, (ids_BT, positions_BT) = stack(attention_dropout=dropout, **KINDS[kind]), packed()
    model.compute_with(model.computation._replace(uses_generator=generator))
    rows_BTD = model.token_embedding(ids_BT).detach().requires_grad_()
    hidden_BTD = model._through(rows_BTD, 7 if dropout else None, None, positions_BT)
    for row, where in records():
        (grad_BTD,) = torch.autograd.grad(hidden_BTD[row, where].square().sum(), rows_BTD, retain_graph=True)
        own = grad_BTD[row, where].clone()
        grad_BTD[row, where] = 0.0
        assert (grad_BTD == 0.0).all()
        assert (own != 0.0).any()


def test_long_sequences_are_told_apart_in_every_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dropped attention works in pieces of queries and of heads."""
    monkeypatch.setattr(kernels, "QUERY_BLOCK", 4)
    monkeypatch.setattr(kernels, "heads_at_once", lambda size: 3)
    test_no_gradient_flows_between_records("learned", 0.3, generator=False)
    test_no_gradient_flows_between_records("window", 0.3, generator=False)
    test_no_gradient_flows_between_records("global, block", 0.3, generator=False)


def test_the_gradient_of_dropped_attention_is_that_of_its_formula() -> None:
    _, positions_BT = packed()
    records_BT = torch.arange(16) - positions_BT
    q, k, v = (
        torch.randn(3, 2, 16, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(seed), requires_grad=True)
        for seed in range(3)
    )

    def attend(*parts: Tensor) -> Tensor:
        return kernels.attention(*parts, dropout=0.3, seed=5, records_BT=records_BT)

    assert torch.autograd.gradcheck(attend, (q, k, v))
    assert GENERATOR != 5


def test_the_trainer_takes_positions_in_micro_batches() -> None:
    """A batch in micro-batches is the batch at once, and packing changes the step."""
    ids_BT, positions_BT = packed()
    ids_BT, positions_BT = ids_BT[:2], positions_BT[:2]
    targets_BT = ids_BT.roll(-1, 1)

    def step(positions: Tensor | None, **train: Any) -> tuple[float, float]:
        trainer = Trainer(stack(dropout=0.0, attention_dropout=0.0), TrainSpec(batch_size=2, **train), seed=0)
        return trainer.step(0, ids_BT, targets_BT, positions)

    whole = step(positions_BT)
    assert step(positions_BT, micro_batch_size=1) == pytest.approx(whole)
    assert step(None) != pytest.approx(whole)
