"""Against the definition, pair by pair."""

import pytest
import torch

from stacklab.model.masks import Mask, Visibility


@pytest.mark.parametrize("mask", ["causal", "full"])
@pytest.mark.parametrize("window", [None, 1, 3, 20])
def test_pairs_and_the_keys_of_a_block(mask: Mask, window: int | None) -> None:
    size, visibility = 9, Visibility(mask, window)
    wanted = torch.tensor(
        [
            [(s <= t or mask == "full") and (window is None or abs(t - s) < window) for s in range(size)]
            for t in range(size)
        ]
    )
    positions = torch.arange(size)
    assert visibility.seen_TS(positions, positions).equal(wanted)
    assert visibility.seen_TS(positions[4:6], positions).equal(wanted[4:6])
    for start in range(size):
        for stop in range(start + 1, size + 1):
            some = wanted[start:stop].any(0).nonzero().flatten().tolist()
            assert visibility.keys_of(slice(start, stop), size) == slice(min(some), max(some) + 1)
