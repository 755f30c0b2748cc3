"""Fixed training sets: of a stated size or of files; the order of batches, epochs, and what is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from tests.run.feeds.test_task import ANSWERING, feed, spec

from stacklab.base.errors import DataError, SpecError
from stacklab.run.resolve_data import resolve_data, task_facts, training_set
from stacklab.run.spec import RunSpec
from stacklab.study.planning.arms import with_data
from stacklab.study.spec.study import BaseSpec
from stacklab.tasks.data import TaskData
from stacklab.tasks.in_context_recall import InContextRecall
from stacklab.tasks.question_answering import QuestionAnswering


def fixed(count: int, **change: Any) -> RunSpec:
    return on(TaskData.model_validate({"task": ANSWERING, "probe": 64, "train_sequences": count}), **change)


def on(data: TaskData, **change: Any) -> RunSpec:
    ready = resolve_data(data, cache=Path("unused"), ask=False)
    model = spec().model.dump() | {"vocab_size": ready.vocab_size}
    return spec(data=data.dump(), data_fingerprint=ready.fingerprint, model=model, **change)


def files(tmp_path: Path, *, train: int = 20, validation: int = 10, seed: int = 1) -> dict[str, Any]:
    task = QuestionAnswering.model_validate(ANSWERING)
    paths = {}
    for name, count in (("train", train), ("validation", validation)):
        batch = task.draw(np.random.default_rng([seed, count]), count)
        paths[name] = str(tmp_path / f"{name}.npz")
        np.savez(paths[name], inputs=batch.tokens_BT, targets=batch.targets_BT)
    return {"kind": "arrays", "ids": task.vocab_size} | paths


def rows(tokens_BT: np.ndarray) -> set[tuple[int, ...]]:
    return set(map(tuple, tokens_BT.tolist()))


def test_dumps_and_fingerprints_without_a_fixed_set_are_as_before() -> None:
    data = TaskData.model_validate({"task": ANSWERING, "probe": 64})
    assert set(data.dump()) == {"task", "probe"}
    assert "splits" not in task_facts(data)


def test_a_fixed_set_is_visited_once_an_epoch_in_an_order_of_the_seed() -> None:
    one, other = (feed(fixed(24, seed=seed)) for seed in (1, 2))
    epochs = [[rows(one.batch(step).inputs) for step in range(start, start + 3)] for start in (0, 3)]
    assert len(set.union(*epochs[0])) == len(rows(one.training.tokens_BT))  # type: ignore[union-attr]
    assert set.union(*epochs[0]) == set.union(*epochs[1])
    assert epochs[0] != epochs[1]
    assert one.batch(0).hash != other.batch(0).hash
    assert (one.training.tokens_BT == other.training.tokens_BT).all()  # type: ignore[union-attr]


def test_a_smaller_set_begins_a_larger_one() -> None:
    small, large = (training_set(TaskData(task=QuestionAnswering(), train_sequences=n)) for n in (10, 5000))
    assert small is not None and large is not None
    assert len(large.tokens_BT) == 5000
    np.testing.assert_array_equal(large.tokens_BT[:10], small.tokens_BT)
    assert len(rows(large.tokens_BT)) == 5000, "no two draws share a stream"


def test_the_probe_is_of_the_training_set_and_validation_is_not() -> None:
    sets = feed(fixed(24)).sets
    trained = rows(feed(fixed(24)).training.tokens_BT)  # type: ignore[union-attr]
    assert rows(sets["train_probe"].tokens_BT) == trained
    assert len(rows(sets["validation"].tokens_BT) - trained) > 50


def test_a_fixed_set_is_drawn_as_training_predicts() -> None:
    data = TaskData(task=InContextRecall(pairs=8), train_sequences=5)
    drawn = training_set(data)
    assert drawn is not None and drawn.target_mask_BT.all()


def test_epochs_become_steps_and_the_share_of_known_validation_sequences_is_counted() -> None:
    config = BaseSpec.model_validate(
        {"data": {"task": ANSWERING, "train_sequences": 50}, "model": {}, "train": {"epochs": 3, "batch_size": 8}}
    )
    ready = resolve_data(config.data, cache=Path("unused"), ask=False)
    assert with_data(config, ready).train.steps == 19, "150 sequences in batches of 8"
    tiny = TaskData.model_validate({"task": {"kind": "parity", "bits": 3}, "train_sequences": 200})
    assert task_facts(tiny)["validation_seen_in_training"] == 1.0
    fresh = BaseSpec.model_validate({"data": {"task": ANSWERING}, "model": {}, "train": {"epochs": 3}})
    with pytest.raises(SpecError, match=r"train\.epochs: fresh sequences have no epochs; .*or data\.train_sequences"):
        with_data(fresh, resolve_data(fresh.data, cache=Path("unused"), ask=False))


def test_a_curriculum_is_refused() -> None:
    task = {"kind": "in-context-template-matching"}
    with pytest.raises(ValidationError, match=r"cannot follow a curriculum over steps; set task\.curriculum: null"):
        TaskData.model_validate({"task": task, "train_sequences": 10})
    TaskData.model_validate({"task": task | {"curriculum": None}, "train_sequences": 10})


def test_a_run_over_files_trains_on_one_part_and_is_measured_on_all_of_the_other(tmp_path: Path) -> None:
    data = TaskData.model_validate({"task": files(tmp_path), "probe": 4})
    task_feed = feed(on(data))
    trained = {row for step in range(5) for row in rows(task_feed.batch(step).inputs)}
    assert trained == rows(np.load(tmp_path / "train.npz")["inputs"])
    np.testing.assert_array_equal(
        task_feed.sets["validation"].tokens_BT, np.load(tmp_path / "validation.npz")["inputs"]
    )
    assert len(task_feed.sets["train_probe"].tokens_BT) == 4
    facts = task_feed.facts
    assert facts["splits"]["train"] == {"sequences": 20, "tokens_per_epoch": 20 * 5}
    assert "accuracy" in " ".join(resolve_data(data, cache=Path("unused"), ask=False).metrics)


def test_a_part_of_the_training_sequences_can_be_stated(tmp_path: Path) -> None:
    data = TaskData.model_validate({"task": files(tmp_path), "train_sequences": 7})
    part = training_set(data)
    assert part is not None
    assert len(part.tokens_BT) == 7
    assert rows(part.tokens_BT) < rows(np.load(tmp_path / "train.npz")["inputs"])
    with pytest.raises(DataError, match=r"data\.train_sequences = 21: .*train\.npz hold 20; lower it"):
        training_set(data.model_copy(update={"train_sequences": 21}))


def test_files_that_changed_since_the_plan_are_refused(tmp_path: Path) -> None:
    data = TaskData.model_validate({"task": files(tmp_path), "probe": 4})
    run = on(data)
    feed(run)
    files(tmp_path, seed=2)
    assert task_facts(data)["fingerprint"] != run.data_fingerprint
    with pytest.raises(DataError, match=r"train\.npz: the sequences are not those that the run was planned with"):
        feed(run)
