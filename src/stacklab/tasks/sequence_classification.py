"""Sequence classification: the memorisation task."""

import functools
from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from stacklab.base.spec import Spec
from stacklab.base.streams import numpy_stream
from stacklab.tasks.batch import Ids, TaskBatch, no_targets, target_last
from stacklab.tasks.parts.fields import MOST
from stacklab.tasks.parts.guessing import most_frequent
from stacklab.tasks.parts.show import letters, numbered
from stacklab.tasks.protocol import TRAIN_ONLY, Layout, Split, periodic, require_split


class SequenceClassification(Spec):
    """Fixed sequences with arbitrary classes, to be memorised; the class is read at the `?` that follows.

    >>> from stacklab.tasks.parts.show import answered
    >>> task = SequenceClassification(symbols=3, sequence_length=4, classes=2, sequences=3, table_seed=0)
    >>> print(answered(task, "c b b b ?"))
    tokens  c b b b  ?
    targets . . . . c1

    The table of sequences and classes follows from the spec. A batch goes through it in random order, round after
    round, so that `draw(rng, sequences)` holds each sequence once. The training set is the test set. Slices: none.
    """

    kind: Literal["sequence-classification"] = "sequence-classification"
    symbols: int = Field(default=50, ge=2, le=MOST)
    sequence_length: int = Field(default=10, gt=0, le=MOST)
    classes: int = Field(default=10, ge=2, le=MOST)
    sequences: int = Field(default=512, ge=2, le=MOST)
    table_seed: int = 0

    @model_validator(mode="after")
    def _enough_sequences(self) -> "SequenceClassification":
        # MOST sequences need no more positions than this, and the power stays small enough to compute.
        possible = self.symbols ** min(self.sequence_length, MOST.bit_length())
        if self.sequences > possible:
            raise ValueError(
                f"{self.symbols} symbols make {self.symbols}^{self.sequence_length} = {possible} sequences of length "
                f"{self.sequence_length}; sequences is {self.sequences}"
            )
        return self

    @property
    def vocab_size(self) -> int:
        return self.symbols + 1 + self.classes

    @property
    def length(self) -> int:
        return self.sequence_length + 1

    @property
    def makeup(self) -> str:
        return f"{self.sequence_length} symbols + the query position"

    @property
    def names(self) -> tuple[str, ...]:
        return (*letters(self.symbols), "?", *numbered("c", self.classes))

    @property
    def readout(self) -> Ids:
        return np.arange(self.symbols + 1, self.vocab_size)

    @property
    def splits(self) -> tuple[Split, ...]:
        return TRAIN_ONLY

    @property
    def layout(self) -> Layout:
        return periodic(self.length, self.length)

    def slices(self) -> dict[int, str]:
        return {0: "all"}

    def draw(
        self, rng: np.random.Generator, size: int, *, split: Split = "train", step: int | None = None
    ) -> TaskBatch:
        require_split(self, split)
        sequences_NT, classes_N = _table(self)
        rounds = [rng.permutation(self.sequences) for _ in range(-(-size // self.sequences))]
        chosen_B = np.concatenate(rounds)[:size]
        return target_last(sequences_NT[chosen_B], classes_N[chosen_B], np.zeros(size, dtype=np.int64))

    def oracle(self, tokens_BT: Ids) -> Ids:
        sequences_NT, classes_N = _table(self)
        known = {tuple(sequence): answer for sequence, answer in zip(sequences_NT.tolist(), classes_N, strict=True)}
        targets_BT = no_targets(tokens_BT)
        for row, sequence in enumerate(tokens_BT.tolist()):
            targets_BT[row, -1] = known[tuple(sequence)]
        return targets_BT

    def baselines(self, batch: TaskBatch) -> dict[str, float]:
        """`one symbol` knows which symbol stands at the best single place."""
        answers_B = batch.targets_BT[:, -1]
        by_place = (_best_by_key(batch.tokens_BT[:, place], answers_B) for place in range(self.sequence_length))
        return {"most frequent": most_frequent(batch), "one symbol": max(by_place)}


def _best_by_key(key_B: Ids, answers_B: Ids) -> float:
    """The accuracy of the best table from key to answer, on the data it was made of."""
    count_KV = np.zeros((key_B.max() + 1, answers_B.max() + 1), dtype=np.int64)
    np.add.at(count_KV, (key_B, answers_B), 1)
    return float(count_KV.max(axis=1).sum() / answers_B.size)


@functools.lru_cache(maxsize=8)
def _table(task: SequenceClassification) -> tuple[Ids, Ids]:
    """The different sequences, each ending in the `?`, [N, T] and their classes' ids [N]; read-only: it is shared."""
    rng = numpy_stream(task.table_seed, "task", "table")
    distinct: dict[tuple[int, ...], None] = {}
    while len(distinct) < task.sequences:
        drawn = rng.integers(task.symbols, size=(task.sequences, task.sequence_length))
        distinct |= dict.fromkeys(map(tuple, drawn.tolist()))
    sequences_NT = np.full((task.sequences, task.length), task.symbols, dtype=np.int64)
    sequences_NT[:, :-1] = list(distinct)[: task.sequences]
    classes_N = rng.integers(task.classes, size=task.sequences) + task.symbols + 1
    sequences_NT.flags.writeable = classes_N.flags.writeable = False
    return sequences_NT, classes_N
