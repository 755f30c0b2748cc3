from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tasks.contract import stream

from stacklab.tasks.parts.sampling import distinct, interleaved, pick


@given(pool=st.integers(1, 9), data=st.data())
def test_rows_hold_different_numbers_below_the_pool(pool: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(1, pool))
    rows = distinct(stream(), 20, count=count, pool=pool)
    assert rows.shape == (20, count)
    assert all(len(set(row)) == count and set(row) <= set(range(pool)) for row in rows.tolist())


def test_every_ordered_choice_is_equally_likely() -> None:
    counted = Counter(map(tuple, distinct(stream(), 24_000, count=2, pool=4).tolist()))
    assert len(counted) == 12
    assert all(abs(times - 2000) < 6 * 2000**0.5 for times in counted.values())


@pytest.mark.parametrize(("order", "orders"), [("forward", 6), ("shuffled", 24)])
def test_links_are_written_in_every_order_that_is_allowed(order: str, orders: int) -> None:
    rows = interleaved(stream(), 12_000, chains=2, links=2, order=order).tolist()  # type: ignore[arg-type]
    counted = Counter(map(tuple, rows))
    expected = 12_000 / orders
    assert len(counted) == orders
    assert all(abs(times - expected) < 6 * expected**0.5 for times in counted.values())
    if order == "forward":
        assert all(row.index(0) < row.index(1) and row.index(2) < row.index(3) for row in rows)


def test_pick_takes_one_of_each_row() -> None:
    assert pick(np.array([[5, 6], [7, 8]]), np.array([1, 0])).tolist() == [6, 7]
