"""What holds for every task at every size; the tests of the single tasks call it on sizes that hypothesis makes up."""

import numpy as np

from stacklab.tasks.batch import IGNORE, TaskBatch
from stacklab.tasks.protocol import SyntheticTask


def stream(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def baselines_of(task: SyntheticTask, size: int) -> dict[str, float]:
    return task.baselines(task.draw(stream(), size))


def check_task(task: SyntheticTask, *, size: int = 40) -> None:
    check_names_and_layout(task)
    for split in task.splits:
        batch = task.draw(stream(), size, split=split)
        check_batch(task, batch, size)
        np.testing.assert_array_equal(task.oracle(batch.tokens_BT), batch.targets_BT)


def check_names_and_layout(task: SyntheticTask) -> None:
    assert len(set(task.names)) == task.vocab_size
    assert all(name and not set(name) & set(" \n") for name in task.names)
    assert set(task.readout.tolist()) <= set(range(task.vocab_size))
    assert (np.diff(task.readout) > 0).all()
    places = set(zip(task.layout.slot_T.tolist(), task.layout.group_T.tolist(), strict=True))
    assert len(places) == task.length, "two positions have the same slot and group"


def check_batch(task: SyntheticTask, batch: TaskBatch, size: int) -> None:
    for array in batch:
        assert array.shape == (size, task.length)
        assert array.dtype == np.int64
        assert array.flags.c_contiguous
    assert batch.tokens_BT.min() >= 0
    assert batch.tokens_BT.max() < task.vocab_size
    assert np.isin(batch.targets_BT[batch.target_mask_BT], task.readout).all()
    assert not (batch.scored_BT & ~batch.target_mask_BT).any()
    if task.kind != "k-hop":  # its empty answers are asked and not scored
        np.testing.assert_array_equal(batch.scored_BT, batch.target_mask_BT)
    assert set(batch.slice_BT[batch.scored_BT].tolist()) <= set(task.slices())
    assert (batch.targets_BT[~batch.target_mask_BT] == IGNORE).all()
