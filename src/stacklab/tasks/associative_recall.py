"""Multi-query associative recall (after Zoology's)."""

from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from stacklab.base.spec import Spec
from stacklab.tasks.batch import Ids, TaskBatch, no_targets
from stacklab.tasks.parts.fields import MOST
from stacklab.tasks.parts.guessing import most_frequent, one_of
from stacklab.tasks.parts.sampling import distinct
from stacklab.tasks.parts.show import numbered
from stacklab.tasks.protocol import TRAIN_ONLY, Layout, Split, periodic, require_split


class AssociativeRecall(Spec):
    """Pairs of key and value first; then every key once more, at gaps filled with `-`: what was its value?

    >>> from stacklab.tasks.parts.show import answered
    >>> task = AssociativeRecall(keys=4, values=4, pairs=2, sequence_length=9, gap_exponent=0.5)
    >>> print(answered(task, "k3 v1 k0 v2 - k0 - - k3"))
    tokens  k3 v1 k0 v2 - k0 - - k3
    targets  .  .  .  . . v2 . . v1

    Keys are distinct within a sequence, values too. A position at distance d after the pairs is drawn with a weight
    of d^gap_exponent - (d - 1)^gap_exponent: the smaller the exponent, the sooner the queries. Slices: the distance of
    a query from its key, in octaves.
    """

    kind: Literal["associative-recall"] = "associative-recall"
    keys: int = Field(default=64, gt=0, le=MOST)
    values: int = Field(default=64, gt=0, le=MOST)
    pairs: int = Field(default=4, ge=2, le=MOST)
    sequence_length: int = Field(default=64, gt=0, le=MOST)
    gap_exponent: float = Field(default=0.01, ge=0.001, le=1)

    @model_validator(mode="after")
    def _enough_room(self) -> "AssociativeRecall":
        for name, pool in (("keys", self.keys), ("values", self.values)):
            if self.pairs > pool:
                raise ValueError(f"{self.pairs} pairs need {self.pairs} different {name}; {name} is {pool}")
        if 3 * self.pairs > self.sequence_length:
            raise ValueError(
                f"{self.pairs} pairs take {2 * self.pairs} places and their queries {self.pairs} more; "
                f"sequence_length is {self.sequence_length}"
            )
        return self

    @property
    def vocab_size(self) -> int:
        return self.keys + self.values + 1

    @property
    def _filler(self) -> int:
        return self.keys + self.values

    @property
    def length(self) -> int:
        return self.sequence_length

    @property
    def makeup(self) -> str:
        return f"{self.sequence_length} places of pairs, queries and fillers"

    @property
    def names(self) -> tuple[str, ...]:
        return (*numbered("k", self.keys), *numbered("v", self.values), "-")

    @property
    def readout(self) -> Ids:
        return np.arange(self.keys, self._filler)

    @property
    def splits(self) -> tuple[Split, ...]:
        return TRAIN_ONLY

    @property
    def layout(self) -> Layout:
        return periodic(self.length, 2)

    def slices(self) -> dict[int, str]:
        octaves = range(1, (self.length - 1).bit_length())
        return {octave: f"distance={2**octave}..{2 ** (octave + 1) - 1}" for octave in octaves}

    def draw(
        self, rng: np.random.Generator, size: int, *, split: Split = "train", step: int | None = None
    ) -> TaskBatch:
        require_split(self, split)
        key_BP = distinct(rng, size, count=self.pairs, pool=self.keys)
        value_BP = distinct(rng, size, count=self.pairs, pool=self.values) + self.keys
        place_BP = self._places(rng, size)
        tokens_BT = np.full((size, self.length), self._filler, dtype=np.int64)
        tokens_BT[:, 0 : 2 * self.pairs : 2] = key_BP
        tokens_BT[:, 1 : 2 * self.pairs : 2] = value_BP
        np.put_along_axis(tokens_BT, place_BP, key_BP, axis=1)
        targets_BT, slice_BT = no_targets(tokens_BT), no_targets(tokens_BT)
        np.put_along_axis(targets_BT, place_BP, value_BP, axis=1)
        distance_BP = place_BP - 2 * np.arange(self.pairs)
        np.put_along_axis(slice_BT, place_BP, np.log2(distance_BP).astype(np.int64), axis=1)
        return TaskBatch(tokens_BT, targets_BT, slice_BT)

    def _places(self, rng: np.random.Generator, size: int) -> Ids:
        """[B, P] the position of each pair's query: drawn by weight without replacement, in random order.

        The largest of log weight plus Gumbel noise are such a draw (Gumbel top-k).
        """
        room = self.length - 2 * self.pairs
        distance = np.arange(room + 1)
        score_BR = np.log(np.diff(distance**self.gap_exponent)) + rng.gumbel(size=(size, room))
        first_BP = np.argsort(-score_BR, axis=1)[:, : self.pairs]
        return rng.permuted(first_BP, axis=1) + 2 * self.pairs

    def oracle(self, tokens_BT: Ids) -> Ids:
        targets_BT = no_targets(tokens_BT)
        for row, tokens in enumerate(tokens_BT.tolist()):
            value: dict[int, int] = {}
            for place, token in enumerate(tokens):
                if token in value:
                    targets_BT[row, place] = value[token]
                elif token < self.keys:
                    value[token] = tokens[place + 1]
        return targets_BT

    def baselines(self, batch: TaskBatch) -> dict[str, float]:
        row_N, _ = np.nonzero(batch.scored_BT)
        present_NP = batch.tokens_BT[row_N, 1 : 2 * self.pairs : 2]
        return {
            "most frequent": most_frequent(batch),
            "one of the values present": one_of(batch.targets_BT[batch.scored_BT], present_NP),
        }
