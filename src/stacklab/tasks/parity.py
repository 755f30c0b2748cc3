"""Parity of a word of bits."""

from typing import Literal

import numpy as np
from pydantic import Field

from stacklab.base.spec import Spec
from stacklab.tasks.batch import Ids, TaskBatch, no_targets, target_last
from stacklab.tasks.parts.fields import MOST
from stacklab.tasks.parts.guessing import hit_rate, most_frequent
from stacklab.tasks.protocol import TRAIN_ONLY, Layout, Split, periodic, require_split


class Parity(Spec):
    """Bits, then `?`: is the number of ones odd?

    >>> from stacklab.tasks.parts.show import answered
    >>> print(answered(Parity(bits=5), "1 0 1 1 0 ?"))
    tokens  1 0 1 1 0 ?
    targets . . . . . 1

    Slices: the number of ones.
    """

    kind: Literal["parity"] = "parity"
    bits: int = Field(default=8, ge=2, le=MOST)

    @property
    def vocab_size(self) -> int:
        return 3

    @property
    def length(self) -> int:
        return self.bits + 1

    @property
    def makeup(self) -> str:
        return f"{self.bits} bits + the query position"

    @property
    def names(self) -> tuple[str, ...]:
        return ("0", "1", "?")

    @property
    def readout(self) -> Ids:
        return np.arange(2)

    @property
    def splits(self) -> tuple[Split, ...]:
        return TRAIN_ONLY

    @property
    def layout(self) -> Layout:
        return periodic(self.length, self.length)

    def slices(self) -> dict[int, str]:
        return {ones: f"ones={ones}" for ones in range(self.bits + 1)}

    def draw(
        self, rng: np.random.Generator, size: int, *, split: Split = "train", step: int | None = None
    ) -> TaskBatch:
        require_split(self, split)
        tokens_BT = np.full((size, self.length), 2, dtype=np.int64)
        tokens_BT[:, :-1] = rng.integers(2, size=(size, self.bits))
        ones_B = tokens_BT[:, :-1].sum(axis=1)
        return target_last(tokens_BT, ones_B % 2, ones_B)

    def oracle(self, tokens_BT: Ids) -> Ids:
        targets_BT = no_targets(tokens_BT)
        for row, (*bits, _) in enumerate(tokens_BT.tolist()):
            odd = False
            for bit in bits:
                odd = not odd if bit == 1 else odd
            targets_BT[row, -1] = int(odd)
        return targets_BT

    def baselines(self, batch: TaskBatch) -> dict[str, float]:
        """`threshold on the ones`: the best rule of the form "at least m ones", or its opposite."""
        ones_B, odd_B = batch.slice_BT[:, -1], batch.targets_BT[:, -1] == 1
        agree = [float(((ones_B >= least) == odd_B).mean()) for least in range(1, self.bits + 1)]
        return {
            "most frequent": most_frequent(batch),
            "last bit": hit_rate(batch, np.roll(batch.tokens_BT, 1, axis=1)),
            "threshold on the ones": max(*agree, 1 - min(agree)),
        }
