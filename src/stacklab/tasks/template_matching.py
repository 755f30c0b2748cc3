"""Template matching: the generalisation task."""

from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from stacklab.base.spec import Spec
from stacklab.tasks.batch import Ids, TaskBatch, no_targets, target_last
from stacklab.tasks.parts.fields import MOST
from stacklab.tasks.parts.guessing import most_frequent
from stacklab.tasks.parts.sampling import distinct
from stacklab.tasks.parts.show import numbered
from stacklab.tasks.parts.templates import Templates, canonical, pattern_of, patterns, wildcards
from stacklab.tasks.protocol import Layout, Split, periodic, require_split


class TemplateMatching(Spec):
    """A string of symbols, then `?`: which template does it follow?

    >>> from stacklab.tasks.parts.show import answered
    >>> task = TemplateMatching(templates=("AAB", "ABA", "ABB"), train_symbols=4, unseen_symbols=3)
    >>> print(answered(task, "s3 s0 s3 ?"))
    tokens  s3 s0 s3   ?
    targets  .  .  . ABA
    >>> print(answered(task, "u1 u2 u2 ?"))
    tokens  u1 u2 u2   ?
    targets  .  .  . ABB

    Different wildcards stand for different symbols. `unseen` draws from symbols that training never shows. The answer
    is read at the `?`, which has no symbol of its own to compare. Slices: the template.
    """

    kind: Literal["template-matching"] = "template-matching"
    templates: Templates = ("AABB", "ABAB", "ABBA", "ABCA", "AABC", "ABCC", "ABAC", "ABBC")
    train_symbols: int = Field(default=1024, gt=0, le=MOST)
    unseen_symbols: int = Field(default=256, gt=0, le=MOST)

    @model_validator(mode="after")
    def _enough_symbols(self) -> "TemplateMatching":
        needed = wildcards(self.templates)
        for name, pool in (("train_symbols", self.train_symbols), ("unseen_symbols", self.unseen_symbols)):
            if needed > pool:
                raise ValueError(f"a template has {needed} wildcards and needs as many symbols; {name} is {pool}")
        return self

    @property
    def vocab_size(self) -> int:
        return self._mark + 1 + len(self.templates)

    @property
    def _mark(self) -> int:
        return self.train_symbols + self.unseen_symbols

    @property
    def length(self) -> int:
        return len(self.templates[0]) + 1

    @property
    def makeup(self) -> str:
        return f"{self.length - 1} symbols + the query position"

    @property
    def names(self) -> tuple[str, ...]:
        return (*numbered("s", self.train_symbols), *numbered("u", self.unseen_symbols), "?", *self.templates)

    @property
    def readout(self) -> Ids:
        return np.arange(self._mark + 1, self.vocab_size)

    @property
    def splits(self) -> tuple[Split, ...]:
        return ("train", "unseen")

    @property
    def layout(self) -> Layout:
        return periodic(self.length, self.length)

    def slices(self) -> dict[int, str]:
        return dict(enumerate(self.templates))

    def draw(
        self, rng: np.random.Generator, size: int, *, split: Split = "train", step: int | None = None
    ) -> TaskBatch:
        require_split(self, split)
        first, pool = (0, self.train_symbols) if split == "train" else (self.train_symbols, self.unseen_symbols)
        symbols_BW = distinct(rng, size, count=wildcards(self.templates), pool=pool) + first
        template_B = rng.integers(len(self.templates), size=size)
        tokens_BT = np.full((size, self.length), self._mark, dtype=np.int64)
        tokens_BT[:, :-1] = np.take_along_axis(symbols_BW, patterns(self.templates)[template_B], axis=1)
        return target_last(tokens_BT, self.readout[template_B], template_B)

    def oracle(self, tokens_BT: Ids) -> Ids:
        number = [canonical(template) for template in self.templates]
        targets_BT = no_targets(tokens_BT)
        for row, (*string, mark) in enumerate(tokens_BT.tolist()):
            targets_BT[row, -1] = mark + 1 + number.index(pattern_of(string))
        return targets_BT

    def baselines(self, batch: TaskBatch) -> dict[str, float]:
        """`one comparison` knows whether the symbols at the best two places are equal."""
        guesses = {"most frequent": most_frequent(batch)}
        if len(self.templates) > 2:  # with two of them, one comparison can be the whole task
            guesses["one comparison"] = _one_comparison(batch)
        return guesses


def _one_comparison(batch: TaskBatch) -> float:
    string_BT, answers_B = batch.tokens_BT[:, :-1], batch.targets_BT[:, -1]
    best = 0.0
    for left in range(string_BT.shape[1]):
        for right in range(left):
            equal_B = string_BT[:, left] == string_BT[:, right]
            right_B = sum(np.bincount(answers_B[equal_B == side], minlength=1).max() for side in (True, False))
            best = max(best, float(right_B / answers_B.size))
    return best
