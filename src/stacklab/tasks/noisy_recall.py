"""Noisy in-context recall, as the mechanistic architecture design benchmark has it (MAD; Poli et al., arXiv
2403.17844)."""

from typing import Literal

from pydantic import Field

from stacklab.tasks.parts.fields import MOST
from stacklab.tasks.parts.pair_stream import PairStream


class NoisyRecall(PairStream):
    """In-context recall in which a share of the pairs is noise from a pool of its own.

    >>> from stacklab.tasks.parts.show import answered
    >>> print(answered(NoisyRecall(keys=3, values=3, noise_symbols=2, pairs=5), "k1 v0 x1 x0 k1 v0 x1 x1 k1"))
    tokens  k1 v0 x1 x0 k1 v0 x1 x1 k1
    targets  .  .  .  . v0  .  .  . v0

    The last pair is no noise, nor is at least one before it. Slices: how many pairs back the key stood last, noise
    included, in octaves. `loss_on: all` trains on every next token, as MAD does; evaluations are over the answers
    alone.
    """

    kind: Literal["noisy-recall"] = "noisy-recall"
    noise_symbols: int = Field(default=16, gt=0, le=MOST)
    noise_share: float = Field(default=0.2, gt=0, lt=1)

    def _noise(self) -> tuple[int, float]:
        return self.noise_symbols, self.noise_share
