"""Dropout in a stack: each replica draws from a generator of its own, so that no replica changes the masks of another.

The masks are those of the device's generator, and so differ from those of the run alone; only their distribution is the
same.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from stacklab.base.streams import Name, stream_seed
from stacklab.model.ops.dropout import masked, seed_generator


class StackedDropout:
    """The masks of one forward pass, in the order in which they are drawn. seeds: one per replica, of its step."""

    def __init__(self, seeds: Sequence[int], device: torch.device) -> None:
        self._seeds, self._device = seeds, device
        self._generators = [
            torch.Generator(device).manual_seed(stream_seed(seed, "generator", "stacked")) for seed in seeds
        ]

    def drop(self, x_RND: Tensor, p: float) -> Tensor:
        """Zero each element with probability `p` and divide the others by the probability of being kept."""
        if p == 0.0:
            return x_RND
        kept_RND = torch.empty(x_RND.shape, dtype=torch.bool, device=x_RND.device)
        for kept_ND, generator in zip(kept_RND, self._generators, strict=True):
            kept_ND.bernoulli_(1.0 - p, generator=generator)
        return masked(x_RND, kept_RND, 1.0 / (1.0 - p))

    def seed_device(self, replica: int, *site: Name) -> None:
        """Seed the device's default generator, from which fused attention draws, for a replica at a site."""
        seed_generator(self._device, stream_seed(self._seeds[replica], "generator", *site))
