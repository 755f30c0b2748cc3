"""Against the definition, pair by pair."""

from typing import get_args

import pytest
import torch

from stacklab.model.masks import MASKS, Mask, MaskKind, Visibility
from stacklab.model.ops import attention as kernels
from stacklab.model.ops.attention import attention, attention_scores


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


def test_every_name_has_a_kind() -> None:
    assert set(get_args(Mask)) == set(MASKS)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("window", [None, 4])
@pytest.mark.parametrize("p", [0.0, 1e-12])
def test_a_pattern_acts_on_both_kernels_and_on_the_scores(
    causal: bool, window: int | None, p: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dropout of next to nothing takes the kernel with dropout, whose pieces are made small."""
    monkeypatch.setitem(MASKS, "third", MaskKind("", causal=causal, pattern=lambda distance: distance % 3 == 0))
    monkeypatch.setattr(kernels, "QUERY_BLOCK", 4)
    visibility = Visibility("third", window)  # type: ignore[arg-type]
    assert visibility.needs_matrix
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(2, 2, 9, 4, dtype=torch.float64, generator=generator) for _ in range(3))
    hidden = torch.tensor(
        [
            [(causal and s > t) or (t - s) % 3 != 0 or (window is not None and abs(t - s) >= window) for s in range(9)]
            for t in range(9)
        ]
    )
    scores = (q @ k.mT * 0.7).masked_fill(hidden, -torch.inf)
    torch.testing.assert_close(attention_scores(q, k, visibility=visibility, scale=0.7), scores)
    mixed = attention(q, k, v, dropout=p, seed=3, visibility=visibility, scale=0.7)
    torch.testing.assert_close(mixed, scores.softmax(-1) @ v)
