"""In-context template matching: the contextual generalisation task."""

from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from stacklab.base.spec import Spec
from stacklab.tasks.batch import IGNORE, Ids, TaskBatch, no_targets
from stacklab.tasks.parts.fields import MOST
from stacklab.tasks.parts.guessing import heaviest, hit_rate, most_frequent, one_of
from stacklab.tasks.parts.sampling import distinct
from stacklab.tasks.parts.show import numbered
from stacklab.tasks.parts.templates import Templates, pattern_of, patterns, wildcards
from stacklab.tasks.protocol import Layout, Split, periodic, require_split


class AnnealedIdentity(Spec):
    """A share of the training sequences has a fixed map from template to label, falling linearly from `start` to 0.

    It helps training off its plateau. It changes what training sees, so it must be the same for all depths; evaluation
    never uses it.
    """

    kind: Literal["annealed-identity"] = "annealed-identity"
    start: float = Field(default=0.9, ge=0, le=1)
    steps: int = Field(default=4000, gt=0)

    def share(self, step: int) -> float:
        """The share at training step 0, 1, 2, ...

        >>> [AnnealedIdentity(start=0.8, steps=4).share(step) for step in (0, 2, 4, 9)]
        [0.8, 0.4, 0.0, 0.0]
        """
        return self.start * max(0.0, 1 - step / self.steps)


class InContextTemplateMatching(Spec):
    """Strings, each followed by the label of its template; the labels of the templates are drawn for every sequence.

    >>> from stacklab.tasks.parts.show import answered
    >>> task = InContextTemplateMatching(templates=("AAB", "ABA"), strings=3, train_symbols=6, unseen_symbols=6)
    >>> print(answered(task, "s0 s0 s3 l1 s5 s1 s5 l0 u4 u4 u2"))
    tokens  s0 s0 s3 l1 s5 s1 s5 l0 u4 u4 u2
    targets  .  .  .  .  .  .  .  .  .  . l1

    The last symbol of a string has a target if the string's template came before. No symbol stands in two strings, so
    only patterns can be compared. The label comes after its string, and the mask must be causal: both are part of the
    task. Slices: how many strings came before.
    """

    kind: Literal["in-context-template-matching"] = "in-context-template-matching"
    templates: Templates = ("AAB", "ABA", "ABB", "ABC")
    strings: int = Field(default=6, ge=2, le=MOST)
    train_symbols: int = Field(default=512, gt=0, le=MOST)
    unseen_symbols: int = Field(default=128, gt=0, le=MOST)
    curriculum: AnnealedIdentity | None = AnnealedIdentity()

    @model_validator(mode="after")
    def _enough_symbols(self) -> "InContextTemplateMatching":
        each = wildcards(self.templates)
        for name, pool in (("train_symbols", self.train_symbols), ("unseen_symbols", self.unseen_symbols)):
            if self.strings * each > pool:
                raise ValueError(
                    f"{self.strings} strings x {each} wildcards = {self.strings * each} symbols without repetition; "
                    f"{name} is {pool}"
                )
        return self

    @property
    def vocab_size(self) -> int:
        return self._first_label + len(self.templates)

    @property
    def _first_label(self) -> int:
        return self.train_symbols + self.unseen_symbols

    @property
    def _period(self) -> int:
        return len(self.templates[0]) + 1

    @property
    def length(self) -> int:
        return self.strings * self._period - 1

    @property
    def makeup(self) -> str:
        return f"{self.strings} strings x ({self._period - 1} symbols + a label), without the last label"

    @property
    def names(self) -> tuple[str, ...]:
        symbols = numbered("s", self.train_symbols) + numbered("u", self.unseen_symbols)
        return symbols + numbered("l", len(self.templates))

    @property
    def readout(self) -> Ids:
        return np.arange(self._first_label, self.vocab_size)

    @property
    def splits(self) -> tuple[Split, ...]:
        return ("train", "unseen")

    @property
    def layout(self) -> Layout:
        return periodic(self.length, self._period)

    def slices(self) -> dict[int, str]:
        return {before: f"strings before={before}" for before in range(1, self.strings)}

    def draw(
        self, rng: np.random.Generator, size: int, *, split: Split = "train", step: int | None = None
    ) -> TaskBatch:
        require_split(self, split)
        template_BM = rng.integers(len(self.templates), size=(size, self.strings))
        label_BM = np.take_along_axis(self._maps(rng, size, step), template_BM, axis=1) + self._first_label
        first, pool = (0, self.train_symbols) if split == "train" else (self.train_symbols, self.unseen_symbols)
        each = wildcards(self.templates)
        symbols_BMW = distinct(rng, size, count=self.strings * each, pool=pool).reshape(size, self.strings, each)
        whole_BMP = np.empty((size, self.strings, self._period), dtype=np.int64)
        whole_BMP[:, :, :-1] = np.take_along_axis(symbols_BMW + first, patterns(self.templates)[template_BM], axis=2)
        whole_BMP[:, :, -1] = label_BM
        tokens_BT = np.ascontiguousarray(whole_BMP.reshape(size, -1)[:, :-1])
        return self._with_targets(tokens_BT, template_BM, label_BM)

    def _maps(self, rng: np.random.Generator, size: int, step: int | None) -> Ids:
        """[B, K] the label number of each template; every step draws equally much, so that the stream stays aligned."""
        identity_K = np.arange(len(self.templates))
        maps_BK = rng.permuted(np.tile(identity_K, (size, 1)), axis=1)
        share = 0.0 if step is None or self.curriculum is None else self.curriculum.share(step)
        maps_BK[rng.random(size) < share] = identity_K
        return maps_BK

    def _with_targets(self, tokens_BT: Ids, template_BM: Ids, label_BM: Ids) -> TaskBatch:
        earlier_BMM = np.tril(template_BM[:, :, None] == template_BM[:, None, :], k=-1)
        seen_BM = earlier_BMM.any(axis=2)
        targets_BT, slice_BT = no_targets(tokens_BT), no_targets(tokens_BT)
        ends = np.s_[:, self._period - 2 :: self._period]
        targets_BT[ends] = np.where(seen_BM, label_BM, IGNORE)
        slice_BT[ends] = np.where(seen_BM, np.arange(self.strings), IGNORE)
        return TaskBatch(tokens_BT, targets_BT, slice_BT)

    def oracle(self, tokens_BT: Ids) -> Ids:
        targets_BT = no_targets(tokens_BT)
        for row, tokens in enumerate(tokens_BT.tolist()):
            label: dict[str, int] = {}
            for start in range(0, len(tokens) - self._period + 2, self._period):
                end = start + self._period - 1
                pattern = pattern_of(tokens[start:end])
                targets_BT[row, end - 1] = label.get(pattern, IGNORE)
                if end < len(tokens):
                    label[pattern] = tokens[end]
        return targets_BT

    def baselines(self, batch: TaskBatch) -> dict[str, float]:
        ends_BM = batch.targets_BT[:, self._period - 2 :: self._period]
        row_N, string_N = np.nonzero(ends_BM != IGNORE)
        label_BM = np.full(ends_BM.shape, IGNORE)
        label_BM[:, :-1] = batch.tokens_BT[:, self._period - 1 :: self._period]
        before_NM = np.where(np.arange(self.strings) < string_N[:, None], label_BM[row_N], IGNORE)
        count_NK = (before_NM[:, :, None] == self.readout).sum(axis=1)
        answers_N = ends_BM[row_N, string_N]
        guess_BT = np.roll(batch.tokens_BT, self._period - 1, axis=1)
        return {
            "most frequent": most_frequent(batch),
            "majority of the labels so far": heaviest(answers_N - self._first_label, count_NK),
            "one of the labels so far": one_of(answers_N, before_NM),
            "last label": hit_rate(batch, guess_BT),
        }
