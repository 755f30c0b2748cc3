"""Matching in one layer: a token attends to the token with the same content in another subspace."""

from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from stacklab.base.spec import Spec
from stacklab.interp.construct.blueprint import Blueprint, Head, Layer, Residual, Term, codes, copy, shared
from stacklab.tasks.batch import Ids, TaskBatch, no_targets, target_last
from stacklab.tasks.parts.fields import MOST
from stacklab.tasks.parts.sampling import distinct, pick
from stacklab.tasks.parts.show import numbered
from stacklab.tasks.protocol import TRAIN_ONLY, Layout, Split, periodic, require_split


class Matching(Spec):
    """Several tokens with a question and its answer each, then a question: what was its answer?

    This is question answering after its copying layer.
    """

    kind: Literal["matching"] = "matching"
    questions: int = Field(default=8, ge=2, le=MOST)
    answers: int = Field(default=8, ge=2, le=MOST)
    pairs: int = Field(default=6, ge=2, le=MOST)

    @model_validator(mode="after")
    def _enough_symbols(self) -> "Matching":
        if self.pairs > self.questions:
            raise ValueError(f"{self.pairs} pairs need {self.pairs} different questions; questions is {self.questions}")
        return self

    @property
    def vocab_size(self) -> int:
        return self.questions * self.answers + self.questions + self.answers

    @property
    def length(self) -> int:
        return self.pairs + 1

    @property
    def names(self) -> tuple[str, ...]:
        both = tuple(f"q{number // self.answers}a{number % self.answers}" for number in range(self._both))
        return both + numbered("q", self.questions) + numbered("a", self.answers)

    @property
    def _both(self) -> int:
        return self.questions * self.answers

    @property
    def splits(self) -> tuple[Split, ...]:
        return TRAIN_ONLY

    @property
    def layout(self) -> Layout:
        return periodic(self.length, 1)

    def draw(
        self, rng: np.random.Generator, size: int, *, split: Split = "train", step: int | None = None
    ) -> TaskBatch:
        require_split(self, split)
        question_BM = distinct(rng, size, count=self.pairs, pool=self.questions)
        answer_BM = rng.integers(self.answers, size=question_BM.shape)
        query_B = rng.integers(self.pairs, size=size)
        last_B = self._both + pick(question_BM, query_B)
        tokens_BT = np.column_stack((question_BM * self.answers + answer_BM, last_B))
        answers_B = self._both + self.questions + pick(answer_BM, query_B)
        return target_last(tokens_BT, answers_B, np.zeros(size, dtype=np.int64))

    def oracle(self, tokens_BT: Ids) -> Ids:
        targets_BT = no_targets(tokens_BT)
        for row, (*pairs, question) in enumerate(tokens_BT.tolist()):
            known = dict(divmod(pair, self.answers) for pair in pairs)
            targets_BT[row, -1] = self._both + self.questions + known[question - self._both]
        return targets_BT


def matching(task: Matching, *, sharpness: float, heads: int | None) -> Blueprint:
    """Scores compare the question with those in the tokens, and differ by at least 2 times the sharpness (1 with two
    questions)."""
    questions, answers = codes(task.questions), codes(task.answers)
    pairs = task.questions * task.answers
    asks, holds = (np.zeros((task.vocab_size, questions.shape[1])) for _ in range(2))
    asks[pairs : pairs + task.questions] = questions
    holds[:pairs] = np.repeat(questions, task.answers, axis=0)
    value, readout = (np.zeros((task.vocab_size, answers.shape[1])) for _ in range(2))
    value[:pairs] = np.tile(answers, (task.questions, 1))
    readout[pairs + task.questions :] = answers
    head = Head(
        "the question attends to the token with the same question and copies its answer",
        (Term(("asks",), ("holds",), sharpness),),
        (copy("value", "result", answers.shape[1]),),
    )
    return Blueprint(
        exercise=task,
        residual=Residual(
            asks=questions.shape[1], holds=questions.shape[1], value=answers.shape[1], result=answers.shape[1]
        ),
        tokens={"asks": asks, "holds": holds, "value": value},
        positions={},
        layers=shared((Layer("matching", (head,)),), heads),
        readout={"result": readout},
        sharpness=sharpness,
    )
