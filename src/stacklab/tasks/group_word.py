"""Group word problems: products in a finite group (Liu et al., arXiv 2210.10749; Merrill et al., arXiv 2404.08819)."""

import functools
from typing import Literal

import numpy as np
from pydantic import Field

from stacklab.base.spec import Spec
from stacklab.tasks.batch import Ids, TaskBatch, no_targets
from stacklab.tasks.parts.fields import MOST
from stacklab.tasks.parts.groups import GroupName, elements, table, then
from stacklab.tasks.parts.guessing import hit_rate, most_frequent
from stacklab.tasks.protocol import TRAIN_ONLY, Layout, Split, periodic, require_split


class GroupWord(Spec):
    """Elements of a group; at each, the product of all up to and including it, the first applied first.

    >>> from stacklab.tasks.parts.show import answered
    >>> print(answered(GroupWord(group="S3", word_length=4), "102 021 102 012"))
    tokens  102 021 102 012
    targets 102 201 210 210
    >>> print(answered(GroupWord(group="Z6", word_length=4, ask="last"), "g1 g5 g3 g4"))
    tokens  g1 g5 g3 g4
    targets  .  .  . g1

    S3 and A5 write where each point goes: 102 swaps the first two. Z6 and Z60 write the power of their generator.
    Slices: the number of elements in the product.
    """

    kind: Literal["group-word"] = "group-word"
    group: GroupName = "S3"
    word_length: int = Field(default=8, ge=2, le=MOST)
    ask: Literal["every", "last"] = "every"

    @property
    def vocab_size(self) -> int:
        return len(elements(self.group))

    @property
    def length(self) -> int:
        return self.word_length

    @property
    def makeup(self) -> str:
        return f"{self.word_length} elements"

    @property
    def names(self) -> tuple[str, ...]:
        if self.group in ("Z6", "Z60"):
            return tuple(f"g{power}" for power in range(self.vocab_size))
        return tuple("".join(map(str, each)) for each in elements(self.group))

    @property
    def readout(self) -> Ids:
        return np.arange(self.vocab_size)

    @property
    def splits(self) -> tuple[Split, ...]:
        return TRAIN_ONLY

    @property
    def layout(self) -> Layout:
        return periodic(self.length, self.length)

    @property
    def _first_target(self) -> int:
        return 0 if self.ask == "every" else self.length - 1

    def slices(self) -> dict[int, str]:
        return {place + 1: f"elements={place + 1}" for place in range(self._first_target, self.length)}

    def draw(
        self, rng: np.random.Generator, size: int, *, split: Split = "train", step: int | None = None
    ) -> TaskBatch:
        require_split(self, split)
        tokens_BT = rng.integers(self.vocab_size, size=(size, self.length))
        product_BT = tokens_BT.copy()
        for place in range(1, self.length):
            product_BT[:, place] = table(self.group)[product_BT[:, place - 1], tokens_BT[:, place]]
        targets_BT, slice_BT = no_targets(tokens_BT), no_targets(tokens_BT)
        targeted = np.s_[:, self._first_target :]
        targets_BT[targeted] = product_BT[targeted]
        slice_BT[targeted] = np.arange(1, self.length + 1)[self._first_target :]
        return TaskBatch(tokens_BT, targets_BT, slice_BT)

    def oracle(self, tokens_BT: Ids) -> Ids:
        targets_BT = no_targets(tokens_BT)
        group = elements(self.group)
        for row, word in enumerate(tokens_BT.tolist()):
            for place in range(self._first_target, len(word)):
                product = functools.reduce(then, (group[token] for token in word[: place + 1]))
                targets_BT[row, place] = group.index(product)
        return targets_BT

    def baselines(self, batch: TaskBatch) -> dict[str, float]:
        return {"most frequent": most_frequent(batch), "last element": hit_rate(batch, batch.tokens_BT)}
