"""Memorisation, as the mechanistic architecture design benchmark has it (MAD; Poli et al., arXiv 2403.17844)."""

import functools
from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from stacklab.base.spec import Spec
from stacklab.base.streams import numpy_stream
from stacklab.tasks.batch import Ids, TaskBatch, no_targets
from stacklab.tasks.parts.fields import MOST
from stacklab.tasks.parts.guessing import most_frequent
from stacklab.tasks.parts.show import numbered
from stacklab.tasks.protocol import TRAIN_ONLY, Layout, Split, periodic, require_split


class Memorisation(Spec):
    """Keys, each followed by a `?`: its value, by a table that is the same for all sequences.

    >>> from stacklab.tasks.parts.show import answered
    >>> print(answered(Memorisation(keys=3, values=3, pairs=3, table_seed=0), "k1 ? k0 ? k1 ?"))
    tokens  k1  ? k0  ? k1  ?
    targets  . v2  . v1  . v2

    The table follows from the spec; no two keys have the same value. Nothing in a sequence tells a value. Slices: none.
    """

    kind: Literal["memorisation"] = "memorisation"
    keys: int = Field(default=128, ge=2, le=MOST)
    values: int = Field(default=128, ge=2, le=MOST)
    pairs: int = Field(default=16, gt=0, le=MOST)
    table_seed: int = 0

    @model_validator(mode="after")
    def _enough_values(self) -> "Memorisation":
        if self.keys > self.values:
            raise ValueError(f"{self.keys} keys need {self.keys} different values; values is {self.values}")
        return self

    @property
    def vocab_size(self) -> int:
        return self.keys + self.values + 1

    @property
    def length(self) -> int:
        return 2 * self.pairs

    @property
    def makeup(self) -> str:
        return f"{self.pairs} keys x (the key and a ?)"

    @property
    def names(self) -> tuple[str, ...]:
        return (*numbered("k", self.keys), *numbered("v", self.values), "?")

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
        return {0: "all"}

    def draw(
        self, rng: np.random.Generator, size: int, *, split: Split = "train", step: int | None = None
    ) -> TaskBatch:
        require_split(self, split)
        key_BP = rng.integers(self.keys, size=(size, self.pairs))
        tokens_BT = np.full((size, self.length), self.vocab_size - 1, dtype=np.int64)
        tokens_BT[:, ::2] = key_BP
        targets_BT, slice_BT = no_targets(tokens_BT), no_targets(tokens_BT)
        targets_BT[:, 1::2], slice_BT[:, 1::2] = _table(self)[key_BP], 0
        return TaskBatch(tokens_BT, targets_BT, slice_BT)

    def oracle(self, tokens_BT: Ids) -> Ids:
        """The answers follow no rule: they are read from the table that defines them."""
        table = dict(enumerate(_table(self).tolist()))
        targets_BT = no_targets(tokens_BT)
        for row, tokens in enumerate(tokens_BT.tolist()):
            for place in range(1, len(tokens), 2):
                targets_BT[row, place] = table[tokens[place - 1]]
        return targets_BT

    def baselines(self, batch: TaskBatch) -> dict[str, float]:
        return {"most frequent": most_frequent(batch), "one of the values": 1 / self.keys}


@functools.lru_cache(maxsize=8)
def _table(task: Memorisation) -> Ids:
    """The id of each key's value [keys]; read-only: it is shared."""
    rng = numpy_stream(task.table_seed, "task", "memorisation")
    value_K = rng.permutation(task.values)[: task.keys].astype(np.int64) + task.keys
    value_K.flags.writeable = False
    return value_K
