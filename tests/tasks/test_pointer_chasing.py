from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.tasks.contract import check_task, stream

from stacklab.tasks.pointer_chasing import PointerChasing

ORDERS: list[Literal["forward", "reversed"]] = ["forward", "reversed"]


@settings(deadline=None)
@given(functions=st.integers(1, 4), points=st.integers(2, 4), order=st.sampled_from(ORDERS), data=st.data())
def test_any_size(functions: int, points: int, order: Literal["forward", "reversed"], data: st.DataObject) -> None:
    steps = data.draw(st.sets(st.integers(1, functions), min_size=1))
    check_task(PointerChasing(functions=functions, points=points, steps=tuple(sorted(steps)), order=order))


@pytest.mark.parametrize("order", ORDERS)
def test_functions_are_written_whole_and_in_order(order: Literal["forward", "reversed"]) -> None:
    task = PointerChasing(functions=3, points=4, order=order)
    tokens_BT = task.draw(stream(), 50).tokens_BT
    sources_BFP = tokens_BT[:, 0:-1:2].reshape(50, 3, 4)
    levels = [0, 1, 2] if order == "forward" else [2, 1, 0]
    for place, level in enumerate(levels):
        assert (np.sort(sources_BFP[:, place], axis=1) == np.arange(4) + 4 * level).all()
    assert (tokens_BT[:, 1:-1:2] // 4 == tokens_BT[:, 0:-1:2] // 4 + 1).all()
    assert len(np.unique(sources_BFP[:, 0], axis=0)) > 10, "the pairs of a function are not shuffled"


def test_values_are_drawn_independently() -> None:
    """A permutation could be read backwards, which lets pairs be joined in advance in either order."""
    ends_BP = PointerChasing(functions=1, points=4, steps=(1,)).draw(stream(), 4000).tokens_BT[:, 1:-1:2]
    all_differ = (np.diff(np.sort(ends_BP, axis=1), axis=1) > 0).all(axis=1).mean()
    assert all_differ == pytest.approx(24 / 4**4, abs=0.02)


def test_the_slice_is_the_number_of_steps() -> None:
    task = PointerChasing(functions=5, points=3, steps=(1, 4))
    batch = task.draw(stream(), 200)
    np.testing.assert_array_equal(batch.slice_BT[:, -1], 5 - batch.tokens_BT[:, -1] // 3)
    assert set(batch.slice_BT[:, -1]) == {1, 4}


@pytest.mark.parametrize(
    ("steps", "message"),
    [([1, 4], "4 steps need 4 functions; functions is 3"), ([2, 1], r"\[2, 1\]: name each number once")],
)
def test_what_cannot_be_asked_is_refused(steps: list[int], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        PointerChasing.model_validate({"steps": steps})
