import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.tasks.contract import check_task, stream

from stacklab.tasks.in_context_recall import InContextRecall
from stacklab.tasks.noisy_recall import NoisyRecall

MAD_INPUTS = [[7, 6, 6, 6, 2, 4, 1, 4, 1, 4, 0, 5, 0], [1, 5, 7, 7, 6, 7, 0, 3, 1, 5, 6, 6, 0]]
MAD_TARGETS = [[-1, -1, -1, -1, -1, -1, -1, -1, 4, -1, -1, -1, 5], [-1, -1, -1, -1, -1, -1, -1, -1, 5, -1, -1, -1, 3]]
"""Made by MAD's own generator: vocab_size 8, noise_vocab_size 2, seq_len 14, frac_noise 0.3; -100 written as -1."""


@settings(deadline=None)
@given(keys=st.integers(1, 5), noise=st.integers(1, 4), pairs=st.integers(2, 12), share=st.floats(0.01, 0.99))
def test_any_size(keys: int, noise: int, pairs: int, share: float) -> None:
    check_task(NoisyRecall(keys=keys, values=4, noise_symbols=noise, noise_share=share, pairs=pairs))


def test_sequences_of_mad_have_the_same_answers() -> None:
    task = NoisyRecall(keys=3, values=3, noise_symbols=2, pairs=7)
    np.testing.assert_array_equal(task.oracle(np.array(MAD_INPUTS)), MAD_TARGETS)


@pytest.mark.parametrize("share", [0.2, 0.9])
def test_the_share_of_noise_is_as_stated(share: float) -> None:
    """Of the pairs before the last, one is never noise."""
    batch = NoisyRecall(noise_share=share).draw(stream(), 2000)
    noise_BP = batch.tokens_BT[:, ::2] >= 16
    assert noise_BP[:, :-1].mean() == pytest.approx(share * 62 / 63, abs=0.01)
    assert not noise_BP[:, -1].any()
    assert not noise_BP[:, :-1].all(axis=1).any()
    np.testing.assert_array_equal(noise_BP[:, :-1], batch.tokens_BT[:, 1::2] >= 16)


def test_a_noise_pair_is_no_appearance_of_a_key() -> None:
    """One key: with noise, how far back it stood is still the distance to its own last place."""
    batch = NoisyRecall(keys=1, noise_share=0.7, pairs=12).draw(stream(), 200)
    for tokens, slices in zip(batch.tokens_BT.tolist(), batch.slice_BT.tolist(), strict=True):
        places = [place for place, token in enumerate(tokens[::2]) if token == 0]
        backs = [after - before for before, after in itertools.pairwise(places)]
        assert [octave for octave in slices if octave >= 0] == [back.bit_length() - 1 for back in backs]


def test_without_noise_it_would_be_in_context_recall() -> None:
    clean, noisy = (task.draw(stream(), 300) for task in (InContextRecall(), NoisyRecall(noise_share=0.001)))
    assert noisy.scored_BT.mean() == pytest.approx(clean.scored_BT.mean(), abs=0.01)
