import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stacklab.data.batches import batch_hash, batch_indices, epoch_order, window_indices


@given(st.integers(0, 2**40), st.integers(1, 7), st.integers(1, 23))
def test_every_epoch_visits_every_block_once_and_nothing_is_dropped(
    seed: int, batch_size: int, num_blocks: int
) -> None:
    steps = 3 * num_blocks  # batch_size epochs' worth of three
    batches = [batch_indices(seed, step, batch_size=batch_size, num_blocks=num_blocks) for step in range(steps)]
    epochs = np.concatenate(batches).reshape(-1, num_blocks)
    assert (np.sort(epochs, axis=1) == np.arange(num_blocks)).all()


def test_a_step_is_reached_directly_as_by_walking() -> None:
    walked = [batch_indices(3, step, batch_size=8, num_blocks=101).tolist() for step in range(60)]
    epoch_order.cache_clear()
    for step in (59, 0, 25, 12):
        assert batch_indices(3, step, batch_size=8, num_blocks=101).tolist() == walked[step]


def test_neighbouring_seeds_and_epochs_share_nothing() -> None:
    orders = [epoch_order(seed, epoch, 2000) for seed in range(3) for epoch in range(3)]
    for index, order in enumerate(orders):
        for other in orders[:index]:
            assert (order == other).sum() < 10  # one is expected by chance
            shifted = max((np.roll(order, shift) == other).sum() for shift in range(-5, 6))
            assert shifted < 10


def test_windows_begin_everywhere_equally_often() -> None:
    drawn = np.concatenate([window_indices(1, step, batch_size=50, num_blocks=7) for step in range(200)])
    counts = np.bincount(drawn, minlength=7)
    assert len(counts) == 7
    assert abs(counts - 10_000 / 7).max() < 5 * np.sqrt(10_000 / 7)


def test_windows_are_a_function_of_seed_and_step() -> None:
    drawn = {key: window_indices(*key, batch_size=8, num_blocks=10_000) for key in [(1, 0), (1, 1), (2, 0), (2, 1)]}
    assert len({tuple(indices) for indices in drawn.values()}) == 4
    assert (window_indices(1, 1, batch_size=8, num_blocks=10_000) == drawn[1, 1]).all()


def test_a_batch_hash_is_of_the_values_and_their_order() -> None:
    tokens = np.arange(12).reshape(3, 4)
    assert batch_hash(tokens) == batch_hash(tokens.astype(np.uint16))
    assert len({batch_hash(tokens), batch_hash(tokens[::-1]), batch_hash(tokens + 1)}) == 3
    assert len(batch_hash(tokens)) == 16
