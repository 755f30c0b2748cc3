"""In-context question answering: the reasoning task."""

from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from stacklab.base.spec import Spec
from stacklab.tasks.batch import Ids, TaskBatch, no_targets, target_last
from stacklab.tasks.parts.fields import MOST
from stacklab.tasks.parts.guessing import hit_rate, most_frequent, one_of
from stacklab.tasks.parts.sampling import distinct, pick
from stacklab.tasks.parts.show import numbered
from stacklab.tasks.protocol import TRAIN_ONLY, Layout, Split, periodic, require_split


class QuestionAnswering(Spec):
    """Pairs of question and answer, then one of the questions again: what was its answer?

    >>> from stacklab.tasks.parts.show import answered
    >>> task = QuestionAnswering(questions=4, answers=3, pairs=3)
    >>> print(answered(task, "q2 a0 q1 a2 q3 a1 q1"))
    tokens  q2 a0 q1 a2 q3 a1 q1
    targets  .  .  .  .  .  . a2

    Questions and answers are drawn anew for every sequence, so weights cannot store them. Both are distinct within a
    sequence: a repeated answer would be worth guessing. Slices: how many pairs back the answer stands.
    """

    kind: Literal["question-answering"] = "question-answering"
    questions: int = Field(default=32, gt=0, le=MOST)
    answers: int = Field(default=16, gt=0, le=MOST)
    pairs: int = Field(default=8, ge=2, le=MOST)

    @model_validator(mode="after")
    def _enough_symbols(self) -> "QuestionAnswering":
        for name, pool in (("questions", self.questions), ("answers", self.answers)):
            if self.pairs > pool:
                raise ValueError(f"{self.pairs} pairs need {self.pairs} different {name}; {name} is {pool}")
        return self

    @property
    def vocab_size(self) -> int:
        return self.questions + self.answers

    @property
    def length(self) -> int:
        return 2 * self.pairs + 1

    @property
    def makeup(self) -> str:
        return f"{self.pairs} pairs x 2 tokens + the question"

    @property
    def names(self) -> tuple[str, ...]:
        return numbered("q", self.questions) + numbered("a", self.answers)

    @property
    def readout(self) -> Ids:
        return np.arange(self.questions, self.vocab_size)

    @property
    def splits(self) -> tuple[Split, ...]:
        return TRAIN_ONLY

    @property
    def layout(self) -> Layout:
        return periodic(self.length, 2)

    def slices(self) -> dict[int, str]:
        return {back: f"pairs back={back}" for back in range(1, self.pairs + 1)}

    def draw(
        self, rng: np.random.Generator, size: int, *, split: Split = "train", step: int | None = None
    ) -> TaskBatch:
        require_split(self, split)
        query_B = rng.integers(self.pairs, size=size)
        tokens_BT = np.empty((size, self.length), dtype=np.int64)
        tokens_BT[:, 0:-1:2] = distinct(rng, size, count=self.pairs, pool=self.questions)
        tokens_BT[:, 1:-1:2] = distinct(rng, size, count=self.pairs, pool=self.answers) + self.questions
        tokens_BT[:, -1] = pick(tokens_BT, 2 * query_B)
        return target_last(tokens_BT, pick(tokens_BT, 2 * query_B + 1), self.pairs - query_B)

    def oracle(self, tokens_BT: Ids) -> Ids:
        targets_BT = no_targets(tokens_BT)
        for row, (*context, question) in enumerate(tokens_BT.tolist()):
            targets_BT[row, -1] = dict(zip(context[0::2], context[1::2], strict=True))[question]
        return targets_BT

    def baselines(self, batch: TaskBatch) -> dict[str, float]:
        return {
            "most frequent": most_frequent(batch),
            "one of the answers present": one_of(batch.targets_BT[:, -1], batch.tokens_BT[:, 1:-1:2]),
            "last answer": hit_rate(batch, np.roll(batch.tokens_BT, 1, axis=1)),
        }
