from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.tasks.contract import baselines_of, check_task, stream

from stacklab.tasks.parity import Parity


@settings(deadline=None)
@given(bits=st.integers(2, 12))
def test_any_size(bits: int) -> None:
    check_task(Parity(bits=bits))


@pytest.mark.parametrize("bits", [2, 3, 8])
def test_the_best_threshold_is_known_exactly(bits: int) -> None:
    ones = np.arange(bits + 1)
    weight = np.array([comb(bits, int(each)) for each in ones]) / 2**bits
    agree = [weight[(ones >= least) == (ones % 2 == 1)].sum() for least in range(bits + 1)]
    expected = max(max(agree), 1 - min(agree))
    found = baselines_of(Parity(bits=bits), 20_000)["threshold on the ones"]
    assert found == pytest.approx(expected, abs=0.012)


def test_the_slice_is_the_number_of_ones() -> None:
    batch = Parity(bits=6).draw(stream(), 100)
    np.testing.assert_array_equal(batch.slice_BT[:, -1], (batch.tokens_BT == 1).sum(axis=1))
