import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.tasks.contract import check_task, stream

from stacklab.tasks.selective_copying import SelectiveCopying

MAD_INPUTS = [[4, 4, 3, 4, 4, 4, 2, 2, 5, 4, 4, 4], [4, 4, 4, 1, 1, 4, 4, 0, 5, 4, 4, 4]]
MAD_TARGETS = [[-1] * 9 + [3, 2, 2], [-1] * 9 + [1, 1, 0]]
"""Made by MAD's own generator: vocab_size 6, seq_len 12, num_tokens_to_copy 3; -100 written as -1."""


@settings(deadline=None)
@given(symbols=st.integers(2, 5), copied=st.integers(1, 6), spare=st.integers(0, 9))
def test_any_size(symbols: int, copied: int, spare: int) -> None:
    check_task(SelectiveCopying(symbols=symbols, copied=copied, sequence_length=2 * copied + 1 + spare))


def test_sequences_of_mad_have_the_same_answers() -> None:
    task = SelectiveCopying(symbols=4, copied=3, sequence_length=12)
    np.testing.assert_array_equal(task.oracle(np.array(MAD_INPUTS)), MAD_TARGETS)


def test_blanks_go_before_any_letter_alike() -> None:
    """Two letters and three blanks: the number before the first is binomial, and the last letter stands at the sign."""
    batch = SelectiveCopying(copied=2, sequence_length=8).draw(stream(), 20_000)
    first_B = (batch.tokens_BT < 14).argmax(axis=1)
    np.testing.assert_allclose(np.bincount(first_B, minlength=4) / 20_000, [1 / 8, 3 / 8, 3 / 8, 1 / 8], atol=0.015)
    assert (batch.tokens_BT[:, 4] < 14).all()


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValidationError, match="take 33 places; sequence_length is 32"):
        SelectiveCopying(sequence_length=32)
