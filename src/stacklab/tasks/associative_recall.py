"""Multi-query associative recall (MQAR; Arora et al., arXiv 2312.04927, and its code, HazyResearch/zoology)."""

from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from stacklab.base.spec import Spec, added
from stacklab.tasks.batch import Ids, TaskBatch, no_targets
from stacklab.tasks.parts.fields import MOST
from stacklab.tasks.parts.guessing import most_frequent, one_of
from stacklab.tasks.parts.sampling import distinct
from stacklab.tasks.parts.show import numbered
from stacklab.tasks.protocol import TRAIN_ONLY, Layout, Split, periodic, require_split


class AssociativeRecall(Spec):
    """Pairs of key and value first; then every key once more, among fillers: what was its value?

    >>> from stacklab.tasks.parts.show import answered
    >>> task = AssociativeRecall(keys=4, values=4, pairs=2, sequence_length=9, power_a=0.5)
    >>> print(answered(task, "k3 v1 k0 v2 - k0 - - k3"))
    tokens  k3 v1 k0 v2 - k0 - - k3
    targets  .  .  .  . . v2 . . v1

    Keys are distinct within a sequence, values too. The places after the pairs, or with `query_stride` every so many of
    them, are numbered n = 1, 2, ... A query takes place n with a weight of n^(power_a - 1), as in zoology; a power_a of
    1 is uniform. `filler: random` writes, where nothing is asked, any value or any key that is no key of the pairs;
    zoology draws from the whole vocabulary, keys of the pairs included, so that the tokens do not show which places are
    asked. Slices: the distance of a query from its key, in octaves.
    """

    kind: Literal["associative-recall"] = "associative-recall"
    keys: int = Field(default=64, gt=0, le=MOST)
    values: int = Field(default=64, gt=0, le=MOST)
    pairs: int = Field(default=4, ge=2, le=MOST)
    sequence_length: int = Field(default=64, gt=0, le=MOST)
    power_a: float = Field(default=0.01, ge=0.001, le=1)
    query_stride: int = added(1, gt=0, le=MOST)
    filler: Literal["blank", "random"] = added("blank")

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
        if self.pairs > self._query_places:
            raise ValueError(
                f"{self.pairs} queries on one place in {self.query_stride} need {self.pairs} of the "
                f"{self._query_places} places after the pairs; lower query_stride or raise sequence_length"
            )
        return self

    @property
    def vocab_size(self) -> int:
        return self.keys + self.values + 1

    @property
    def _filler(self) -> int:
        return self.keys + self.values

    @property
    def _query_places(self) -> int:
        """The number of places that a query can take."""
        return -(-(self.sequence_length - 2 * self.pairs) // self.query_stride)

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
        tokens_BT = self._fillers(rng, key_BP)
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
        log_weight_R = (self.power_a - 1) * np.log(np.arange(1, self._query_places + 1))
        score_BR = log_weight_R + rng.gumbel(size=(size, self._query_places))
        first_BP = np.argsort(-score_BR, axis=1)[:, : self.pairs]
        return rng.permuted(first_BP, axis=1) * self.query_stride + 2 * self.pairs

    def _fillers(self, rng: np.random.Generator, key_BP: Ids) -> Ids:
        """[B, T] what stands where there is neither a pair nor a query."""
        shape = (len(key_BP), self.length)
        if self.filler == "blank":
            return np.full(shape, self._filler, dtype=np.int64)
        tokens_BT = rng.integers(self._filler - self.pairs, size=shape)
        for key_B in np.sort(key_BP, axis=1).T:  # each key of the pairs, from the smallest on, is left out
            tokens_BT += tokens_BT >= key_B[:, None]
        return tokens_BT

    def oracle(self, tokens_BT: Ids) -> Ids:
        targets_BT = no_targets(tokens_BT)
        for row, tokens in enumerate(tokens_BT.tolist()):
            value = dict(zip(tokens[0 : 2 * self.pairs : 2], tokens[1 : 2 * self.pairs : 2], strict=False))
            for place, token in enumerate(tokens[2 * self.pairs :], start=2 * self.pairs):
                if token in value:
                    targets_BT[row, place] = value[token]
        return targets_BT

    def baselines(self, batch: TaskBatch) -> dict[str, float]:
        row_N, _ = np.nonzero(batch.scored_BT)
        present_NP = batch.tokens_BT[row_N, 1 : 2 * self.pairs : 2]
        return {
            "most frequent": most_frequent(batch),
            "one of the values present": one_of(batch.targets_BT[batch.scored_BT], present_NP),
        }
