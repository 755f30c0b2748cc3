"""Batches of a task are a function of the seed and the step; what is measured is fixed and never trained on."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from stacklab.base.errors import DataError, SpecError
from stacklab.base.files import read_json, read_jsonl
from stacklab.model.init import build
from stacklab.model.ops.linear_cross_entropy import IGNORE_INDEX
from stacklab.run.execute import execute
from stacklab.run.feeds.task import TaskFeed
from stacklab.run.paths import OutPaths
from stacklab.run.resolve_data import resolve_data, task_metrics
from stacklab.run.spec import RunSpec
from stacklab.run.store import create_run
from stacklab.tasks.data import TaskData

ANSWERING = {"kind": "question-answering", "questions": 6, "answers": 4, "pairs": 2}
MATCHING = {"kind": "template-matching", "templates": ["AA", "AB"], "train_symbols": 8, "unseen_symbols": 8}


def spec(task: dict[str, Any] = ANSWERING, **change: Any) -> RunSpec:
    data = TaskData.model_validate({"task": task, "probe": 64})
    ready = resolve_data(data, cache=Path("unused"), ask=False)
    tree = {
        "data": data.dump(),
        "data_fingerprint": ready.fingerprint,
        "model": {
            "vocab_size": ready.vocab_size,
            "d_model": 16,
            "num_layers": 2,
            "num_heads": 2,
            "d_ff": 0,
            "context_length": 8,
            "tie_embeddings": False,
            "dropout": 0.0,
            "attention_dropout": 0.0,
        },
        "train": {"steps": 6, "batch_size": 8, "checkpoint_every": 2, "schedule": {"warmup_steps": 1}},
        "evaluate": {"every": 2, "problems": 0},
        "sample": {},
        "seed": 1,
    }
    return RunSpec.model_validate(tree | change)


def feed(run: RunSpec) -> TaskFeed:
    assert isinstance(run.data, TaskData)
    return TaskFeed(run, run.data)


def test_a_batch_follows_from_seed_and_step_whatever_the_model() -> None:
    run = spec()
    one, again = feed(run).batch(3), feed(spec(model=run.model.dump() | {"num_layers": 1})).batch(3)
    assert one.hash == again.hash
    assert (one.inputs == again.inputs).all()
    assert len({feed(run).batch(step).hash for step in range(9)} | {feed(spec(seed=2)).batch(3).hash}) == 10


def test_nothing_is_asked_of_positions_that_the_task_leaves_out() -> None:
    batch = feed(spec()).batch(0)
    assert (batch.targets[:, :-1] == IGNORE_INDEX).all()
    assert (batch.targets[:, -1] >= 0).all()


def test_the_validation_set_is_of_symbols_that_training_never_shows() -> None:
    task_feed = feed(spec(MATCHING))
    trained = {int(token) for step in range(40) for token in task_feed.batch(step).inputs[:, :2].ravel()}
    held_out = {int(token) for token in task_feed.sets["validation"].tokens_BT[:, :2].ravel()}
    assert len(trained) == len(held_out) == 8
    assert not trained & held_out
    seen = {int(token) for token in task_feed.sets["train_probe"].tokens_BT[:, :2].ravel()}
    assert seen == trained


def test_sets_and_batches_that_ask_nothing_are_refused() -> None:
    """Two strings of four templates: most sequences hold no string whose template came before."""
    strings = {"kind": "in-context-template-matching", "strings": 2}
    short = TaskData.model_validate({"task": strings, "probe": 1})
    with pytest.raises(SpecError, match=r"data\.probe = 1: no position of these sequences of "):
        task_metrics(short)
    lone = spec(strings, train={"steps": 6, "batch_size": 1})
    with pytest.raises(DataError, match=r"step \d+: a batch of 1 has no target; raise train\.batch_size"):
        for step in range(20):
            feed(lone).batch(step)


def test_the_tuning_set_is_another_than_the_validation_set() -> None:
    tuned = feed(spec(evaluate={"split": "tuning", "every": 2, "problems": 0}))
    assert set(tuned.sets) == {"train_probe", "tuning"}
    assert not np.array_equal(tuned.sets["tuning"].tokens_BT, feed(spec()).sets["validation"].tokens_BT)


def test_what_is_measured_agrees_with_the_slow_way() -> None:
    run = spec()
    task_feed, model = feed(run), build(run.model, seed=1).double()
    drawn = task_feed.sets["validation"]
    measured = task_feed.measure(model)
    with torch.no_grad():
        logits_BV = model(torch.from_numpy(drawn.tokens_BT))[:, -1] @ model.head_weight_VD.T
    right = [int(row.argmax()) == want for row, want in zip(logits_BV, drawn.targets_BT[:, -1], strict=True)]
    losses = [-float(row.log_softmax(0)[want]) for row, want in zip(logits_BV, drawn.targets_BT[:, -1], strict=True)]
    assert measured["validation.accuracy"] == sum(right) / 64
    assert math.isclose(measured["validation.loss"], sum(losses) / 64, rel_tol=1e-12)
    parts = {name: value for name, value in measured.items() if name.startswith("validation.accuracy.")}
    assert len(parts) == 2, "one for each distance of the pair"


@pytest.mark.trains
def test_a_run_over_a_task_stops_once_it_is_solved(tmp_path: Path) -> None:
    rule = {"metric": "validation.accuracy", "at_least": 0.0, "evaluations": 2}
    run = spec(train=spec().train.dump() | {"stop": rule})
    paths = OutPaths(tmp_path).run(run.run_id)
    create_run(run, paths)
    assert execute(paths.folder, threads=1) == "finished"
    result = read_json(paths.result)
    assert (result["step"], result["metrics"]["steps_to_solve"]) == (2, 0)
    assert [row["step"] for row in read_jsonl(paths.metrics)] == [1, 2]
    longer = spec()
    other = OutPaths(tmp_path).run(longer.run_id)
    create_run(longer, other)
    execute(other.folder, threads=1)
    assert read_json(other.result)["step"] == 6
    assert read_jsonl(other.metrics)[:2] == read_jsonl(paths.metrics), "the same until it stopped"
