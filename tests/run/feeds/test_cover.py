"""A run's losses follow `data.packing` and `data.loss_on`."""

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tests.run.conftest import Bench

from stacklab.base.errors import DataError
from stacklab.data.spec import DataSpec
from stacklab.model.ops.linear_cross_entropy import IGNORE_INDEX
from stacklab.run.execute import Execution
from stacklab.run.spec import RunSpec
from stacklab.run.stacking import why_alone

COVERS: list[dict[str, Any]] = [
    {"packing": "documents"},
    {"loss_on": "answers"},
    {"packing": "documents", "loss_on": "answers"},
]


def spec_of(bench: Bench, **changes: Any) -> RunSpec:
    data = DataSpec.model_validate(bench.data.dump() | {"block_size": 160} | changes)
    plain = bench.spec(model={"attention_dropout": 0.1}, steps=2, batch_size=12)
    evaluate = plain.evaluate.model_copy(update={"train_probe_blocks": 12})
    fingerprint = bench.prepare(data).fingerprint
    return plain.model_copy(update={"data": data, "data_fingerprint": fingerprint, "evaluate": evaluate})


@pytest.mark.parametrize("cover", COVERS, ids=str)
def test_the_loss_is_the_mean_over_the_targets_of_each_record_run_alone(bench: Bench, cover: dict[str, Any]) -> None:
    spec = spec_of(bench, **cover)
    execution = Execution(spec, bench.folder(spec), lambda: False)
    model, blocks = execution.model.double(), bench.prepare(spec.data).held_out("validation")  # type: ignore[arg-type]
    every = np.arange(blocks.num_blocks)
    tokens, kept, losses = torch.from_numpy(blocks.get(every)), blocks.targets(every), list[torch.Tensor]()
    assert kept is not None
    for row in range(len(tokens)):
        begins = [0, tokens.shape[1] - 1]
        if blocks.cover.starts is not None:
            inside = blocks.cover.starts - row * 160
            begins += [int(start) for start in inside if 0 < start < 160]
        for begin, end in zip(sorted(begins), sorted(begins)[1:], strict=False):
            logits = model.logits(model(tokens[row : row + 1, begin:end]))[0]
            each = F.cross_entropy(logits, tokens[row, begin + 1 : end + 1], reduction="none")
            losses.append(each[torch.from_numpy(kept[row, begin:end])])
    metrics = execution.feed.measure(model)
    wanted = torch.cat(losses).mean().item()
    assert metrics["validation.loss"] == pytest.approx(wanted, rel=1e-9)
    bits = wanted / np.log(2) / blocks.bytes_per_token
    assert metrics["validation.bits_per_byte"] == pytest.approx(bits, rel=1e-9)


@pytest.mark.parametrize("cover", COVERS, ids=str)
def test_batches_have_the_targets_and_positions_of_their_blocks(bench: Bench, cover: dict[str, Any]) -> None:
    spec = spec_of(bench, **cover)
    batch = Execution(spec, bench.folder(spec), lambda: False).feed.batch(0)
    plain = spec_of(bench)
    usual = Execution(plain, bench.folder(plain), lambda: False).feed.batch(0)
    assert usual.positions is None and (usual.targets != IGNORE_INDEX).all()
    assert (batch.inputs == usual.inputs).all() and batch.hash == usual.hash
    kept = batch.targets != IGNORE_INDEX
    assert 0 < kept.sum() < kept.size and (batch.targets == usual.targets)[kept].all()
    if "packing" not in cover:
        assert batch.positions is None
        return
    assert batch.positions is not None
    end = bench.prepared.manifest["tokenizer"]["marker_ids"]["<|endoftext|>"]
    for row, positions in zip(batch.inputs, batch.positions, strict=True):
        begins = [0, *(np.flatnonzero(row[:-1] == end) + 1)]
        assert np.flatnonzero(positions == 0).tolist() == begins


def test_a_batch_without_a_target_is_named_before_the_first_step(bench: Bench) -> None:
    spec = spec_of(bench, loss_on="answers", block_size=4)
    spec = spec.model_copy(update={"train": spec.train.model_copy(update={"batch_size": 1, "steps": 200})})
    with pytest.raises(DataError, match=r"step \d+: a batch of 1 has no target; raise train\.batch_size"):
        Execution(spec, bench.folder(spec), lambda: False)


def test_documents_are_trained_one_by_one_and_answers_in_stacks(bench: Bench) -> None:
    reason = "data.packing = documents is not supported in a stack"
    assert why_alone(_plain(bench, packing="documents"), on_card=True) == reason
    assert why_alone(_plain(bench, loss_on="answers"), on_card=True) is None


def _plain(bench: Bench, **cover: Any) -> RunSpec:
    data = DataSpec.model_validate(bench.data.dump() | cover)
    return bench.spec().model_copy(update={"data": data})
