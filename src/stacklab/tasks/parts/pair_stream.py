"""A stream of pairs of key and value in which keys come again, always with the same value."""

from typing import Literal

import numpy as np
from pydantic import Field

from stacklab.base.spec import Spec
from stacklab.tasks.batch import IGNORE, Ids, TaskBatch, no_targets
from stacklab.tasks.parts.fields import MOST
from stacklab.tasks.parts.guessing import commonest_so_far, hit_rate, most_frequent
from stacklab.tasks.parts.sampling import previous_place
from stacklab.tasks.parts.show import numbered
from stacklab.tasks.protocol import TRAIN_ONLY, Layout, Split, periodic, require_split

LossOn = Literal["all", "answers"]
"""What training predicts: every next token, or the answers alone. Evaluations are always over the answers."""


class PairStream(Spec):
    """The members of tasks over such a stream; `_noise` sets how much of it is noise."""

    keys: int = Field(default=8, gt=0, le=MOST)
    values: int = Field(default=8, gt=0, le=MOST)
    pairs: int = Field(default=64, ge=2, le=MOST)
    loss_on: LossOn = "all"

    def _noise(self) -> tuple[int, float]:
        """The number of noise ids, and the share of pairs that are noise."""
        return 0, 0.0

    @property
    def vocab_size(self) -> int:
        return self.keys + self.values + self._noise()[0]

    @property
    def length(self) -> int:
        return 2 * self.pairs - 1

    @property
    def makeup(self) -> str:
        return f"{self.pairs} pairs x 2 tokens - the last value"

    @property
    def names(self) -> tuple[str, ...]:
        pools = (("k", self.keys), ("v", self.values), ("x", self._noise()[0]))
        return tuple(name for prefix, count in pools for name in numbered(prefix, count))

    @property
    def readout(self) -> Ids:
        return np.arange(self.keys, self.keys + self.values)

    @property
    def splits(self) -> tuple[Split, ...]:
        return TRAIN_ONLY

    @property
    def layout(self) -> Layout:
        return periodic(self.length, 2)

    def slices(self) -> dict[int, str]:
        octaves = range((self.pairs - 1).bit_length())
        return {octave: f"pairs_back={2**octave}..{2 ** (octave + 1) - 1}" for octave in octaves}

    def draw(
        self, rng: np.random.Generator, size: int, *, split: Split = "train", step: int | None = None
    ) -> TaskBatch:
        require_split(self, split)  # type: ignore[arg-type]
        key_BP = rng.integers(self.keys, size=(size, self.pairs))
        value_BK = rng.integers(self.values, size=(size, self.keys)) + self.keys
        noise_BP = self._noise_places(rng, size)
        key_BP[:, -1] = self._shown_before(rng, key_BP, noise_BP)
        tokens_BP2 = np.stack((key_BP, np.take_along_axis(value_BK, key_BP, axis=1)), axis=2)
        if noise_BP.any():
            first, count = self.keys + self.values, self._noise()[0]
            tokens_BP2[noise_BP] = rng.integers(first, first + count, size=(int(noise_BP.sum()), 2))
        # A noise pair is no appearance of its key: it has a code that no other pair has.
        place_P = np.arange(self.pairs)
        before_BP = previous_place(np.where(noise_BP, self.keys + place_P, key_BP))
        tokens_BS = tokens_BP2.reshape(size, -1)
        targets_BT, slice_BT = no_targets(tokens_BS[:, :-1]), no_targets(tokens_BS[:, :-1])
        back_BP = place_P - before_BP
        octave_BP = np.floor(np.log2(back_BP)).astype(np.int64)
        targets_BT[:, ::2] = np.where(before_BP >= 0, tokens_BP2[:, :, 1], IGNORE)
        slice_BT[:, ::2] = np.where(before_BP >= 0, octave_BP, IGNORE)
        if step is not None and self.loss_on == "all":
            targets_BT = np.ascontiguousarray(tokens_BS[:, 1:])
        return TaskBatch(np.ascontiguousarray(tokens_BS[:, :-1]), targets_BT, slice_BT)

    def _noise_places(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """[B, P] whether a pair is noise; the last is none, nor is one of those before it."""
        share = self._noise()[1]
        noise_BP = np.zeros((size, self.pairs), dtype=np.bool_)
        if share:
            noise_BP[:, :-1] = rng.random((size, self.pairs - 1)) < share
            noise_BP[np.arange(size), rng.integers(self.pairs - 1, size=size)] = False
        return noise_BP

    def _shown_before(self, rng: np.random.Generator, key_BP: Ids, noise_BP: np.ndarray) -> Ids:
        """[B] a key of the pairs before the last, each key that they show equally likely."""
        shown_BK = np.zeros((len(key_BP), self.keys + 1), dtype=np.bool_)
        np.put_along_axis(shown_BK, np.where(noise_BP, self.keys, key_BP)[:, :-1], True, axis=1)
        score_BK = np.where(shown_BK[:, : self.keys], rng.random((len(key_BP), self.keys)), -1.0)
        chosen_B: Ids = score_BK.argmax(axis=1)
        return chosen_B

    def oracle(self, tokens_BT: Ids) -> Ids:
        targets_BT = no_targets(tokens_BT)
        for row, tokens in enumerate(tokens_BT.tolist()):
            value: dict[int, int] = {}
            for place in range(0, len(tokens), 2):
                key = tokens[place]
                if key in value:
                    targets_BT[row, place] = value[key]
                elif key < self.keys and place + 1 < len(tokens):
                    value[key] = tokens[place + 1]
        return targets_BT

    def baselines(self, batch: TaskBatch) -> dict[str, float]:
        """`last value` repeats the value of the pair before; `commonest value so far` counts them."""
        return {
            "most frequent": most_frequent(batch),
            "last value": hit_rate(batch, np.roll(batch.tokens_BT, 1, axis=1)),
            "commonest value so far": commonest_so_far(batch, self.readout),
        }
