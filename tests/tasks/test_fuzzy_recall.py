from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.tasks.contract import check_task, stream

from stacklab.tasks.fuzzy_recall import FuzzyRecall

SMALL = FuzzyRecall(keys=3, values=4, key_length=2, value_length=2, sequence_length=24)
MAD_INPUTS = [
    [7, 7, 1, 0, 6, 4, 1, 2, 4, 6, 1, 2, 4, 6, 2, 1, 6, 1, 2, 4, 6, 1, 2, 4],
    [7, 7, 7, 7, 0, 2, 5, 6, 0, 2, 5, 6, 0, 1, 3, 5, 2, 0, 4, 2, 1, 4, 2, 0],
]
MAD_TARGETS = [
    [-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 4, 6, -1, -1, -1, -1, -1, 4, 6, -1, -1, 4, 6],
    [-1, -1, -1, -1, -1, -1, -1, -1, -1, 5, 6, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 4],
]
"""Made by MAD's own generator: vocab_size 8, motif sizes 2, seq_len 24, multi_query; -100 written as -1."""


@settings(deadline=None)
@given(
    keys=st.integers(3, 5),
    values=st.integers(3, 5),
    key_length=st.integers(1, 3),
    value_length=st.integers(1, 3),
    spare=st.integers(0, 25),
)
def test_any_size(keys: int, values: int, key_length: int, value_length: int, spare: int) -> None:
    length = 2 * (key_length + value_length) - 1 + spare
    sizes = {"keys": keys, "values": values, "key_length": key_length, "value_length": value_length}
    check_task(FuzzyRecall(**sizes, sequence_length=length))


def test_sequences_of_mad_have_the_same_answers() -> None:
    np.testing.assert_array_equal(SMALL.oracle(np.array(MAD_INPUTS)), MAD_TARGETS)


def runs(tokens: list[int]) -> list[list[int]]:
    """Runs of key tokens and of value tokens in turn, without the filling."""
    parts: list[list[int]] = []
    for token in tokens:
        if token < 7:
            if parts and (token < 3) == (parts[-1][0] < 3):
                parts[-1].append(token)
            else:
                parts.append([token])
    return parts


@pytest.mark.parametrize(("step", "lengths"), [(None, {2}), (0, {1, 2})])
def test_keys_are_short_in_training_only(step: int | None, lengths: set[int]) -> None:
    batch = SMALL.draw(stream(), 300, step=step)
    keys = [part for tokens in batch.tokens_BT.tolist() for part in runs(tokens)[0::2]]
    assert {len(key) for key in keys} == lengths
    assert all(len(set(key)) == len(key) for key in keys)


@pytest.mark.parametrize("loss_on", ["all", "answers"])
def test_what_training_predicts(loss_on: Any) -> None:
    batch = SMALL.model_copy(update={"loss_on": loss_on}).draw(stream(), 300, step=0)
    if loss_on == "all":
        np.testing.assert_array_equal(batch.targets_BT[:, :-1], batch.tokens_BT[:, 1:])
        np.testing.assert_array_equal(batch.targets_BT[:, -1], SMALL.oracle(batch.tokens_BT)[:, -1])
    else:
        np.testing.assert_array_equal(batch.targets_BT, SMALL.oracle(batch.tokens_BT))


def test_a_key_has_one_value_in_a_sequence_and_the_last_one_came_before() -> None:
    batch = SMALL.draw(stream(), 300)
    for tokens, targets in zip(batch.tokens_BT.tolist(), batch.targets_BT.tolist(), strict=True):
        parts = runs([*tokens, targets[-1]])
        pairs = [(tuple(key), tuple(value)) for key, value in zip(parts[0::2], parts[1::2], strict=True)]
        assert len(dict(pairs)) == len(set(pairs))
        assert pairs[-1] in pairs[:-1]


def test_the_slice_is_the_number_of_the_value_token() -> None:
    batch = SMALL.draw(stream(), 50)
    for tokens, slices in zip(batch.tokens_BT.tolist(), batch.slice_BT.tolist(), strict=True):
        for place, number in enumerate(slices):
            if number > 0:
                assert [token >= 3 for token in tokens[place - number + 1 : place + 1]] == [
                    False,
                    *[True] * (number - 1),
                ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"keys": 2}, "3 different tokens are needed for the longest; keys is 2"),
        ({"values": 2}, "3 different tokens are needed for the longest; values is 2"),
        ({"sequence_length": 10}, "a pair and its repetition take 11 places; sequence_length is 10"),
        ({"keys": 1000, "key_length": 9}, "keys = 1000 and key_length = 9 make too many keys to number"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, int], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        FuzzyRecall.model_validate(change)
