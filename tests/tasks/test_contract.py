"""Every task in the registry, at its default sizes."""

import doctest
import importlib
import inspect
import pkgutil
import sys
from types import FrameType
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError
from tests.tasks.contract import baselines_of, check_task, stream

import stacklab.tasks
from stacklab.tasks.batch import TaskBatch
from stacklab.tasks.protocol import SyntheticTask
from stacklab.tasks.spec import TASKS, Task

MODULES = [module.name for module in pkgutil.iter_modules(stacklab.tasks.__path__)]
all_tasks = pytest.mark.parametrize("task", [task() for task in TASKS.values()], ids=list(TASKS))


@all_tasks
def test_batches_are_well_formed_and_the_oracle_agrees(task: SyntheticTask) -> None:
    check_task(task, size=400)


@all_tasks
def test_every_slice_occurs(task: SyntheticTask) -> None:
    batch = task.draw(stream(), 4000)
    assert set(batch.slice_BT[batch.scored_BT].tolist()) == set(task.slices())


@all_tasks
def test_a_batch_is_a_function_of_spec_and_stream(task: SyntheticTask) -> None:
    for split in task.splits:
        one, same, other = (task.draw(stream(seed), 32, split=split) for seed in (1, 1, 2))
        assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
        assert not np.array_equal(one.tokens_BT, other.tokens_BT)


@all_tasks
def test_it_can_be_written_down_and_read_back(task: Any) -> None:
    assert TypeAdapter(Task).validate_python(task.dump()) == task


@all_tasks
def test_an_unknown_split_is_refused(task: SyntheticTask) -> None:
    with pytest.raises(ValueError, match=f"{task.kind}: there is no split 'test'; it has train"):
        task.draw(stream(), 2, split="test")  # type: ignore[arg-type]


@all_tasks
def test_what_is_asked_can_be_answered_from_the_past(task: SyntheticTask) -> None:
    """Under a causal mask a position sees nothing that comes later."""
    batch = task.draw(stream(), 24)
    answers_BT = np.full_like(batch.targets_BT, -1)
    for place in range(task.length):
        asked_B = batch.target_mask_BT[:, place]
        if asked_B.any():
            answers_BT[asked_B, place] = task.oracle(batch.tokens_BT[asked_B, : place + 1])[:, place]
    np.testing.assert_array_equal(answers_BT, batch.targets_BT)


@all_tasks
def test_no_single_token_tells_the_answer(task: SyntheticTask) -> None:
    """The best table from the token some places back to the answer, judged on other sequences, beats no baseline."""
    best = max(baselines_of(task, 4000).values())
    fit, judge = task.draw(stream(1), 4000), task.draw(stream(2), 4000)
    if task.kind == "sequence-classification":
        judge = fit  # its training set is all there is, and so is its baseline's
    if task.kind == "memorisation":
        return  # a table from one token to the answer is the task
    for back in range(task.length):
        assert _table_accuracy(task, fit, judge, back) < best + 0.03, back


def _table_accuracy(task: SyntheticTask, fit: TaskBatch, judge: TaskBatch, back: int) -> float:
    count_KV = np.zeros((task.vocab_size, task.vocab_size))
    np.add.at(count_KV, _pairs(fit, back), 1)
    keys_N, answers_N = _pairs(judge, back)
    return float((count_KV.argmax(axis=1)[keys_N] == answers_N).sum() / judge.scored_BT.sum())


def _pairs(batch: TaskBatch, back: int) -> tuple[np.ndarray, np.ndarray]:
    scored_BT = batch.scored_BT.copy()
    scored_BT[:, :back] = False
    return np.roll(batch.tokens_BT, back, axis=1)[scored_BT], batch.targets_BT[scored_BT]


@all_tasks
def test_baselines_are_shares_and_do_not_solve_the_task(task: SyntheticTask) -> None:
    baselines = baselines_of(task, 2000)
    assert len(baselines) >= 2
    assert all(0 <= value < 0.75 for value in baselines.values())


@all_tasks
def test_a_batch_is_made_without_a_loop_over_its_sequences(task: SyntheticTask) -> None:
    task.draw(stream(), 2)  # tables that are made once
    assert _lines_run(task, 256) == _lines_run(task, 2)


def _lines_run(task: SyntheticTask, size: int) -> int:
    """Lines of the package that a draw runs through."""
    count = 0

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal count
        if "stacklab" not in frame.f_code.co_filename:
            return None
        count += event == "line"
        return trace

    rng, before = stream(), sys.gettrace()
    sys.settrace(trace)
    try:
        task.draw(rng, size)
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("name", MODULES)
def test_the_worked_examples_hold(name: str) -> None:
    assert doctest.testmod(importlib.import_module(f"stacklab.tasks.{name}")).failed == 0


@all_tasks
def test_every_task_has_a_worked_example_in_a_file_of_its_own(task: SyntheticTask) -> None:
    assert "print(answered(" in (type(task).__doc__ or "")
    assert inspect.getmodule(type(task)).__name__ == f"stacklab.tasks.{task.kind.replace('-', '_')}"  # type: ignore[union-attr]


def test_an_unknown_kind_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValidationError, match="'sequence-classification', 'question-answering'"):
        TypeAdapter(Task).validate_python({"kind": "sorting"})
