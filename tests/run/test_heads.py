"""Heads of an arm's runs, where the trained weights are the constructed ones: the scores are known."""

from pathlib import Path

import pytest
import torch
from tests.run.solved import solved_run

from stacklab.base.errors import CheckpointError, DataError
from stacklab.interp.construct.compile import compiled
from stacklab.run.heads import UNTRAINED, arm_heads, construction
from stacklab.tasks.parity import Parity
from stacklab.tasks.sequence_classification import SequenceClassification


def test_runs_with_the_constructed_weights_score_as_the_construction(tmp_path: Path) -> None:
    runs = [solved_run(tmp_path, seed=seed) for seed in (3, 4)]
    report = arm_heads(runs, sequences=64)
    assert [one.seed for one in report.seeds] == [3, 4]
    assert (report.task, report.split, report.sequences) == ("question-answering", "train", 64)
    trained = {(row.layer, row.role): row.best for row in report.trained}
    untrained = {(row.layer, row.role): row.best for row in report.untrained}
    assert trained.keys() == untrained.keys()
    built = {score.role: score for score in report.constructed}
    for layer, role in ((0, "copying"), (1, "matching")):
        ours, fresh = trained[layer, role], untrained[layer, role]
        assert ours.kind == fresh.kind == "estimate"
        assert (ours.value, ours.n, fresh.n) == (pytest.approx(1.0, abs=1e-4), 2, UNTRAINED)
        assert fresh.high < 0.5
        assert (built[role].value, built[role].layer) == (pytest.approx(1.0, abs=1e-4), layer)
    assert report.absent == {"parsing": "no symbol occurs twice in a group"}
    assert type(report).model_validate(report.dump()) == report


def test_runs_without_heads_to_score_are_refused(tmp_path: Path) -> None:
    run = solved_run(tmp_path, seed=1)
    with pytest.raises(DataError, match="no run of the arm has finished"):
        arm_heads([])
    with pytest.raises(DataError, match="do not belong to one arm: their model or task differs"):
        arm_heads([run, solved_run(tmp_path, seed=1, pairs=3)])
    text = {"source": {"kind": "procedural-cot"}, "tokenizer": {"kind": "bytes"}, "block_size": 9}
    with pytest.raises(DataError, match="was trained on text; heads are scored on a synthetic task"):
        arm_heads([solved_run(tmp_path, seed=1, data=text)])
    flat = {"vocab_size": 48, "num_layers": 0, "d_model": 8, "context_length": 9}
    with pytest.raises(DataError, match="has no layers and so no heads"):
        arm_heads([solved_run(tmp_path, seed=1, model=flat)])
    run.weights.write_bytes(b"torn")
    with pytest.raises(CheckpointError, match="not a complete checkpoint"):
        arm_heads([run])
    run.weights.unlink()
    with pytest.raises(DataError, match="has no final weights yet"):
        arm_heads([run])


def test_tasks_without_a_construction_have_none() -> None:
    assert construction(Parity()) is None
    assert construction(SequenceClassification(sequences=4096)) is None
    plan = construction(SequenceClassification(sequences=64))
    assert plan is not None and torch.equal(compiled(plan).token_embedding.weight[:61, :61], torch.eye(61))
