"""Random keep-masks from a seed, on a CPU: which elements dropout keeps."""

from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from torch import Tensor

_LEVELS = 2**16


def kept_share(p: float) -> float:
    """The probability with which a mask keeps an element: 1 - p to the nearest 1/65536, and never 0."""
    return 1.0 - _dropped_levels(p) / _LEVELS


class KeepMasks:
    """A stream of boolean masks addressed by a seed; the same calls in the same order return the same masks.

    An element is dropped when a random 16-bit number falls below a threshold, which is several times cheaper than
    `bernoulli_`.
    """

    def __init__(self, p: float, seed: int) -> None:
        self.p = p
        self._bits = np.random.SFC64(seed)

    def draw(self, shape: Sequence[int]) -> Tensor:
        """The next mask; True is kept."""
        kept = torch.empty(*shape, dtype=torch.bool)
        # Comparing into bytes is six times faster than into booleans.
        self._fill(kept.view(torch.uint8))
        return kept

    def draw_numbers(self, shape: Sequence[int], dtype: torch.dtype) -> Tensor:
        """The next mask as 1 (kept) and 0."""
        return self._fill(torch.empty(*shape, dtype=dtype))

    def _fill(self, kept: Tensor) -> Tensor:
        words = cast("np.ndarray[tuple[int], np.dtype[np.uint64]]", self._bits.random_raw(-(-kept.numel() // 4)))
        levels = torch.from_numpy(words.view(np.int16)[: kept.numel()]).view(kept.shape)
        return torch.ge(levels, _dropped_levels(self.p) - _LEVELS // 2, out=kept)


def as_numbers(kept: Tensor, dtype: torch.dtype) -> Tensor:
    """0 and 1 instead of False and True. Through bytes, because torch converts bytes to floats ten times faster."""
    return kept.view(torch.uint8).to(dtype)


def _dropped_levels(p: float) -> int:
    return min(round(p * _LEVELS), _LEVELS - 1)
