"""Fuzzy in-context recall, as the mechanistic architecture design benchmark has it (MAD; Poli et al., arXiv
2403.17844)."""

from typing import Literal, NamedTuple

import numpy as np
from pydantic import Field, model_validator

from stacklab.base.spec import Spec
from stacklab.tasks.batch import Ids, TaskBatch, no_targets
from stacklab.tasks.parts.fields import MOST
from stacklab.tasks.parts.guessing import commonest_so_far, most_frequent
from stacklab.tasks.parts.pair_stream import LossOn
from stacklab.tasks.parts.sampling import distinct, previous_place
from stacklab.tasks.parts.show import numbered
from stacklab.tasks.protocol import TRAIN_ONLY, Layout, Split, periodic, require_split


class _Pairs(NamedTuple):
    """Pairs of every sequence, of which only the first are used.

    key_BMK, value_BMV: tokens, as many as key_size_BM and value_size_BM. again_BM: whether the key came before.
    """

    key_BMK: Ids
    key_size_BM: Ids
    value_BMV: Ids
    value_size_BM: Ids
    again_BM: np.ndarray

    def with_last(self, place_B: Ids) -> "_Pairs":
        """One more pair: that of the place once again."""
        rows_B = np.arange(len(place_B))
        more = [np.concatenate([each, each[rows_B, place_B][:, None]], axis=1) for each in self]
        more[-1][:, -1] = True
        return _Pairs(*more)


class FuzzyRecall(Spec):
    """In-context recall with keys and values of several tokens: after a key seen before, its value, token by token.

    >>> from stacklab.tasks.parts.show import answered
    >>> task = FuzzyRecall(keys=4, values=4, key_length=2, value_length=2, sequence_length=12)
    >>> print(answered(task, "- k1 k0 v2 v1 k0 k1 v3 k1 k0 v2 v1"))
    tokens  - k1 k0 v2 v1 k0 k1 v3 k1 k0 v2 v1
    targets .  .  .  .  .  .  .  .  . v2 v1  .

    The tokens of a key are all different, those of a value too; values have 1 to `value_length` tokens. Evaluated keys
    have `key_length` tokens, keys in training 1 to `key_length`. One of the pairs is repeated at the end; its last
    value token is not among the inputs. The sequence is filled up from the left with `-`. Slices: which token of the
    value. `loss_on: all` trains on every next token, as MAD does; evaluations are over the answers alone.
    """

    kind: Literal["fuzzy-recall"] = "fuzzy-recall"
    keys: int = Field(default=7, gt=0, le=MOST)
    values: int = Field(default=8, gt=0, le=MOST)
    key_length: int = Field(default=3, gt=0, le=MOST)
    value_length: int = Field(default=3, gt=0, le=MOST)
    sequence_length: int = Field(default=128, gt=0, le=MOST)
    loss_on: LossOn = "all"

    @model_validator(mode="after")
    def _enough_room(self) -> "FuzzyRecall":
        for name, pool, length in (
            ("keys", self.keys, self.key_length),
            ("values", self.values, self.value_length),
        ):
            if length > pool:
                raise ValueError(f"{length} different tokens are needed for the longest; {name} is {pool}")
        needed = 2 * (self.key_length + self.value_length) - 1
        if needed > self.sequence_length:
            raise ValueError(
                f"a pair and its repetition take {needed} places; sequence_length is {self.sequence_length}"
            )
        # A key is compared as one number of 63 bits.
        if self.key_length * (self.keys + 1).bit_length() > 62:
            raise ValueError(f"keys = {self.keys} and key_length = {self.key_length} make too many keys to number")
        return self

    @property
    def vocab_size(self) -> int:
        return self.keys + self.values + 1

    @property
    def length(self) -> int:
        return self.sequence_length

    @property
    def makeup(self) -> str:
        return f"{self.sequence_length} places of keys and values, filled up from the left"

    @property
    def names(self) -> tuple[str, ...]:
        return (*numbered("k", self.keys), *numbered("v", self.values), "-")

    @property
    def readout(self) -> Ids:
        return np.arange(self.keys, self.keys + self.values)

    @property
    def splits(self) -> tuple[Split, ...]:
        return TRAIN_ONLY

    @property
    def layout(self) -> Layout:
        return periodic(self.length, self.length)

    def slices(self) -> dict[int, str]:
        return {number: f"token={number}" for number in range(1, self.value_length + 1)}

    def draw(
        self, rng: np.random.Generator, size: int, *, split: Split = "train", step: int | None = None
    ) -> TaskBatch:
        require_split(self, split)
        shortest = self.key_length if step is None else 1
        room = self.length - (self.key_length + self.value_length - 1)
        pairs = self._pairs(rng, size, count=room // (shortest + 1), shortest=shortest)
        fits_BM = np.cumsum(pairs.key_size_BM + pairs.value_size_BM, axis=1) <= room
        asked_B = (rng.random(size) * fits_BM.sum(axis=1)).astype(np.int64)
        used_BM = np.concatenate([fits_BM, np.ones((size, 1), dtype=np.bool_)], axis=1)
        batch, last_B = self._written(pairs.with_last(asked_B), used_BM)
        if step is not None and self.loss_on == "all":
            targets_BT = np.concatenate([batch.tokens_BT[:, 1:], last_B[:, None]], axis=1)
            return batch._replace(targets_BT=targets_BT)
        return batch

    def _pairs(self, rng: np.random.Generator, size: int, *, count: int, shortest: int) -> _Pairs:
        """`count` pairs of each sequence; keys that are equal have equal values."""
        shape = (size, count)
        key_size_BM = rng.integers(shortest, self.key_length + 1, size=shape)
        key_BMK = distinct(rng, size * count, count=self.key_length, pool=self.keys).reshape(*shape, -1)
        value_size_BM = rng.integers(1, self.value_length + 1, size=shape)
        value_BMV = distinct(rng, size * count, count=self.value_length, pool=self.values).reshape(*shape, -1)
        digits_BMK = np.where(np.arange(self.key_length) < key_size_BM[..., None], key_BMK + 1, 0)
        before_BM = previous_place(digits_BMK @ (self.keys + 1) ** np.arange(self.key_length))
        # The pair that has the key first: from pair to pair before, until nothing changes.
        first_BM = np.where(before_BM < 0, np.arange(count), before_BM)
        for _ in range(count.bit_length()):
            first_BM = np.take_along_axis(first_BM, first_BM, axis=1)
        value_size_BM = np.take_along_axis(value_size_BM, first_BM, axis=1)
        value_BMV = np.take_along_axis(value_BMV, first_BM[..., None], axis=1) + self.keys
        return _Pairs(key_BMK, key_size_BM, value_BMV, value_size_BM, before_BM >= 0)

    def _written(self, pairs: _Pairs, used_BM: np.ndarray) -> tuple[TaskBatch, Ids]:
        """The used pairs as sequences that end with the last one but for its last token, and that token [B]."""
        size_BM = np.where(used_BM, pairs.key_size_BM + pairs.value_size_BM, 0)
        end_BM = np.cumsum(size_BM, axis=1)
        start_BM = self.length + 1 - end_BM[:, -1:] + end_BM - size_BM
        tokens_BS = np.full((len(size_BM), self.length + 1), self.vocab_size - 1, dtype=np.int64)
        targets_BS, slice_BS = no_targets(tokens_BS), no_targets(tokens_BS)
        rows_BM = np.broadcast_to(np.arange(len(size_BM))[:, None], size_BM.shape)
        for place in range(self.key_length + self.value_length):
            number_BM = np.clip(place - pairs.key_size_BM, 0, self.value_length - 1)
            value_BM = np.take_along_axis(pairs.value_BMV, number_BM[..., None], axis=2)[..., 0]
            key_BM = pairs.key_BMK[..., min(place, self.key_length - 1)]
            token_BM = np.where(place < pairs.key_size_BM, key_BM, value_BM)
            there_BM = place < size_BM
            tokens_BS[rows_BM[there_BM], (start_BM + place)[there_BM]] = token_BM[there_BM]
            asked_BM = there_BM & pairs.again_BM & (place >= pairs.key_size_BM)
            asked = rows_BM[asked_BM], (start_BM + place)[asked_BM] - 1
            targets_BS[asked], slice_BS[asked] = token_BM[asked_BM], number_BM[asked_BM] + 1
        arrays = (np.ascontiguousarray(each_BS[:, :-1]) for each_BS in (tokens_BS, targets_BS, slice_BS))
        return TaskBatch(*arrays), tokens_BS[:, -1]

    def oracle(self, tokens_BT: Ids) -> Ids:
        targets_BT = no_targets(tokens_BT)
        for row, tokens in enumerate(tokens_BT.tolist()):
            values: dict[tuple[int, ...], list[int]] = {}
            key, value = list[int](), list[int]()
            for place, token in enumerate(tokens):
                if token >= self.keys + self.values:
                    continue
                if token < self.keys and value:
                    values.setdefault(tuple(key), value)
                    key, value = [], []
                (key if token < self.keys else value).append(token)
                known = values.get(tuple(key), [])
                key_goes_on = place + 1 < len(tokens) and tokens[place + 1] < self.keys
                if len(value) < len(known) and (value or not key_goes_on):
                    targets_BT[row, place] = known[len(value)]
        return targets_BT

    def baselines(self, batch: TaskBatch) -> dict[str, float]:
        return {
            "most frequent": most_frequent(batch),
            "commonest token so far": commonest_so_far(batch, self.readout),
        }
