"""Selective copying, as the mechanistic architecture design benchmark has it (MAD; Poli et al., arXiv 2403.17844)."""

from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from stacklab.base.spec import Spec
from stacklab.tasks.batch import Ids, TaskBatch, no_targets
from stacklab.tasks.parts.fields import MOST
from stacklab.tasks.parts.guessing import commonest_so_far, most_frequent, one_of
from stacklab.tasks.parts.show import letters
from stacklab.tasks.protocol import TRAIN_ONLY, Layout, Split, periodic, require_split


class SelectiveCopying(Spec):
    """Letters among blanks `-`; after `>` the letters again, in order, read at blanks.

    >>> from stacklab.tasks.parts.show import answered
    >>> print(answered(SelectiveCopying(symbols=3, copied=3, sequence_length=10), "- a - - c a > - - -"))
    tokens  - a - - c a > - - -
    targets . . . . . . . a c a

    Each blank goes before a letter, every letter equally likely (as numpy's `insert` at random places in MAD), so that
    the last letter stands directly before the `>`. Slices: the number of the letter, in octaves.
    """

    kind: Literal["selective-copying"] = "selective-copying"
    symbols: int = Field(default=14, ge=2, le=MOST)
    copied: int = Field(default=16, gt=0, le=MOST)
    sequence_length: int = Field(default=256, gt=0, le=MOST)

    @model_validator(mode="after")
    def _enough_room(self) -> "SelectiveCopying":
        needed = 2 * self.copied + 1
        if needed > self.sequence_length:
            raise ValueError(
                f"{self.copied} letters, the sign and {self.copied} answers take {needed} places; sequence_length is "
                f"{self.sequence_length}"
            )
        return self

    @property
    def vocab_size(self) -> int:
        return self.symbols + 2

    @property
    def length(self) -> int:
        return self.sequence_length

    @property
    def makeup(self) -> str:
        return f"{self.sequence_length - self.copied - 1} letters and blanks + the sign + {self.copied} answers"

    @property
    def names(self) -> tuple[str, ...]:
        return (*letters(self.symbols), "-", ">")

    @property
    def readout(self) -> Ids:
        return np.arange(self.symbols)

    @property
    def splits(self) -> tuple[Split, ...]:
        return TRAIN_ONLY

    @property
    def layout(self) -> Layout:
        return periodic(self.length, self.length)

    def slices(self) -> dict[int, str]:
        octaves = range(self.copied.bit_length())
        return {octave: f"letter={2**octave}..{2 ** (octave + 1) - 1}" for octave in octaves}

    def draw(
        self, rng: np.random.Generator, size: int, *, split: Split = "train", step: int | None = None
    ) -> TaskBatch:
        require_split(self, split)
        blanks = self.sequence_length - 2 * self.copied - 1
        letter_BN = rng.integers(self.symbols, size=(size, self.copied))
        before_BL = rng.integers(self.copied, size=(size, blanks)) + self.copied * np.arange(size)[:, None]
        blanks_BN = np.bincount(before_BL.ravel(), minlength=size * self.copied).reshape(size, self.copied)
        place_BN = np.cumsum(blanks_BN, axis=1) + np.arange(self.copied)
        tokens_BT = np.full((size, self.length), self.symbols, dtype=np.int64)
        np.put_along_axis(tokens_BT, place_BN, letter_BN, axis=1)
        tokens_BT[:, -self.copied - 1] = self.symbols + 1
        targets_BT, slice_BT = no_targets(tokens_BT), no_targets(tokens_BT)
        targets_BT[:, -self.copied :] = letter_BN
        slice_BT[:, -self.copied :] = np.log2(np.arange(1, self.copied + 1)).astype(np.int64)
        return TaskBatch(tokens_BT, targets_BT, slice_BT)

    def oracle(self, tokens_BT: Ids) -> Ids:
        targets_BT = no_targets(tokens_BT)
        for row, tokens in enumerate(tokens_BT.tolist()):
            if self.symbols + 1 in tokens:
                sign = tokens.index(self.symbols + 1)
                kept = [token for token in tokens[:sign] if token < self.symbols]
                for place, letter in zip(range(sign + 1, len(tokens)), kept, strict=False):
                    targets_BT[row, place] = letter
        return targets_BT

    def baselines(self, batch: TaskBatch) -> dict[str, float]:
        row_N, _ = np.nonzero(batch.scored_BT)
        letters_BT = np.where(batch.tokens_BT < self.symbols, batch.tokens_BT, -1)
        return {
            "most frequent": most_frequent(batch),
            "one of the letters": one_of(batch.targets_BT[batch.scored_BT], letters_BT[row_N]),
            "commonest letter": commonest_so_far(batch, self.readout),
        }
