from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.tasks.contract import baselines_of, check_task, stream

from stacklab.tasks.in_context_recall import InContextRecall

MAD_INPUTS = [[1, 4, 0, 3, 0, 3, 0, 3, 0, 3, 0, 3, 0], [2, 4, 1, 5, 2, 4, 1, 5, 1, 5, 1, 5, 1]]
MAD_TARGETS = [[-1, -1, -1, -1, 3, -1, 3, -1, 3, -1, 3, -1, 3], [-1, -1, -1, -1, 4, -1, 5, -1, 5, -1, 5, -1, 5]]
"""Made by MAD's own generator: vocab_size 6, seq_len 14, multi_query; -100 written as -1."""


@settings(deadline=None)
@given(keys=st.integers(1, 6), values=st.integers(1, 6), pairs=st.integers(2, 12))
def test_any_size(keys: int, values: int, pairs: int) -> None:
    check_task(InContextRecall(keys=keys, values=values, pairs=pairs))


def test_sequences_of_mad_have_the_same_answers() -> None:
    task = InContextRecall(keys=3, values=3, pairs=7)
    np.testing.assert_array_equal(task.oracle(np.array(MAD_INPUTS)), MAD_TARGETS)


def test_the_last_key_is_any_of_the_keys_shown() -> None:
    """Key 0 fills seven of eight places before; the other key is asked as often."""
    batch = InContextRecall(keys=2, values=4, pairs=9).draw(stream(), 20_000)
    before_BP, last_B = batch.tokens_BT[:, :-1:2], batch.tokens_BT[:, -1]
    lone_B = before_BP.sum(axis=1) == 1
    assert lone_B.sum() > 300
    assert last_B[lone_B].mean() == pytest.approx(0.5, abs=0.1)
    assert (before_BP == last_B[:, None]).any(axis=1).all()


@pytest.mark.parametrize(("loss_on", "everywhere"), [("all", True), ("answers", False)])
def test_what_training_predicts(loss_on: Any, everywhere: bool) -> None:
    task = InContextRecall(keys=3, values=3, pairs=6, loss_on=loss_on)
    trained, plain = task.draw(stream(), 50, step=0), task.draw(stream(), 50)
    np.testing.assert_array_equal(trained.tokens_BT, plain.tokens_BT)
    np.testing.assert_array_equal(trained.slice_BT, plain.slice_BT)
    if everywhere:
        np.testing.assert_array_equal(trained.targets_BT[:, :-1], plain.tokens_BT[:, 1:])
        np.testing.assert_array_equal(trained.targets_BT[:, -1], plain.targets_BT[:, -1])
    else:
        np.testing.assert_array_equal(trained.targets_BT, plain.targets_BT)


def test_the_slice_is_the_octave_of_pairs_back() -> None:
    batch = InContextRecall(keys=4, pairs=20).draw(stream(), 100)
    for tokens, slices in zip(batch.tokens_BT.tolist(), batch.slice_BT.tolist(), strict=True):
        keys = tokens[::2]
        for place, octave in enumerate(slices[::2]):
            if octave >= 0:
                back = keys[:place][::-1].index(keys[place]) + 1
                assert 2**octave <= back < 2 ** (octave + 1)


def test_one_value_for_all_is_guessed() -> None:
    assert set(baselines_of(InContextRecall(values=1), 50).values()) == {1.0}


def test_a_single_pair_is_refused() -> None:
    with pytest.raises(ValidationError, match="greater than or equal to 2"):
        InContextRecall(pairs=1)
