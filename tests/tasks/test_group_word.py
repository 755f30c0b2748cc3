from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.tasks.contract import baselines_of, check_task, stream

from stacklab.tasks.group_word import GroupWord
from stacklab.tasks.parts.groups import GroupName

GROUPS: list[GroupName] = ["S3", "Z6", "A5", "Z60"]
ASKS: list[Literal["every", "last"]] = ["every", "last"]


@settings(deadline=None)
@given(group=st.sampled_from(GROUPS), length=st.integers(2, 9), ask=st.sampled_from(ASKS))
def test_any_size(group: GroupName, length: int, ask: Literal["every", "last"]) -> None:
    check_task(GroupWord(group=group, word_length=length, ask=ask))


def test_the_slice_is_the_number_of_elements() -> None:
    every = GroupWord(word_length=5).draw(stream(), 3)
    np.testing.assert_array_equal(every.slice_BT, np.tile([1, 2, 3, 4, 5], (3, 1)))
    last = GroupWord(word_length=5, ask="last").draw(stream(), 3)
    np.testing.assert_array_equal(last.slice_BT, np.tile([-1, -1, -1, -1, 5], (3, 1)))
    np.testing.assert_array_equal(last.targets_BT[:, -1], every.targets_BT[:, -1])


def test_the_first_answer_is_given_away_and_the_baseline_says_so() -> None:
    every = baselines_of(GroupWord(group="A5", word_length=8), 2000)["last element"]
    last = baselines_of(GroupWord(group="A5", word_length=8, ask="last"), 2000)["last element"]
    assert every == pytest.approx(1 / 8 + 7 / 8 / 60, abs=0.005)
    assert last == pytest.approx(1 / 60, abs=0.015)
