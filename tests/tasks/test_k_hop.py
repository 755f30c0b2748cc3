import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.tasks.contract import baselines_of, check_task, stream

from stacklab.tasks.k_hop import KHop


@settings(deadline=None)
@given(hops=st.sets(st.integers(0, 4), min_size=1), symbols=st.integers(3, 5), spare=st.integers(0, 6))
def test_any_size(hops: set[int], symbols: int, spare: int) -> None:
    length = max(3, max(hops) * symbols) + spare
    check_task(KHop(hops=tuple(sorted(hops)), symbols=symbols, sequence_length=length))


def test_no_symbol_follows_itself_and_all_come_equally_often() -> None:
    x_BN = KHop().draw(stream(), 2000).tokens_BT[:, 1:]
    assert (x_BN[:, 1:] != x_BN[:, :-1]).all()
    counts = np.bincount(x_BN.ravel(), minlength=16)
    assert abs(counts / counts.mean() - 1).max() < 0.03


def test_zero_hops_copy_and_are_never_none() -> None:
    batch = KHop(hops=(0,)).draw(stream(), 50)
    np.testing.assert_array_equal(batch.targets_BT[:, 1:], batch.tokens_BT[:, 1:])
    assert batch.scored_BT[:, 1:].all()


def test_an_empty_answer_is_asked_and_not_scored() -> None:
    batch = KHop().draw(stream(), 200)
    none_BT = batch.targets_BT == 16
    assert none_BT.any()
    assert not (none_BT & batch.scored_BT).any()
    np.testing.assert_array_equal(batch.target_mask_BT[:, 1:], (none_BT | batch.scored_BT)[:, 1:])


def test_the_first_token_tells_the_number_of_hops() -> None:
    task = KHop(hops=(1, 3))
    batch = task.draw(stream(), 200)
    for first, slices in zip(batch.tokens_BT[:, 0], batch.slice_BT, strict=True):
        assert set(slices[slices >= 0]) == {int(task.names[first].removesuffix("-hop"))}


def test_distances_alone_are_worth_more_than_counts() -> None:
    """The rate of .20 with 16 symbols is where one attention layer stops; it is no first sign of induction."""
    baselines = baselines_of(KHop(hops=(1,)), 1500)
    assert baselines["recent majority"] == pytest.approx(0.198, abs=0.008)
    assert baselines["majority so far"] == pytest.approx(0.131, abs=0.008)
    assert baselines_of(KHop(hops=(1,), symbols=4), 500)["recent majority"] > 0.5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hops": [5], "symbols": 16}, "5 hops of about 16 places each.* go back 80 places; sequence_length is 64"),
        ({"hops": [2, 1]}, r"\[2, 1\]: name each number once, in ascending order"),
        ({"hops": [1, 1]}, "name each number once"),
        ({"symbols": 2}, "greater than or equal to 3"),
    ],
)
def test_what_cannot_be_asked_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        KHop.model_validate(change)
