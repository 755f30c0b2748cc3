"""Copying in one layer, and question answering, which copies in its first.

copying: every position copies the symbol a fixed number of positions before it.

question_answering: two layers. Each answer copies the question before it; the last token attends to the copy of its
question. The deciding scores of both layers differ by at least 2, times the sharpness. The stack: attention only,
causal, one head per layer or any number that share its moves, no norm, learned positions, read at the last position.
"""

from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from stacklab.base.spec import Spec
from stacklab.interp.construct.blueprint import Blueprint, Head, Layer, Residual, Term, codes, copy, shared
from stacklab.tasks.batch import IGNORE, Ids, TaskBatch, no_targets
from stacklab.tasks.parts.fields import MOST
from stacklab.tasks.parts.show import letters
from stacklab.tasks.protocol import TRAIN_ONLY, Layout, Split, periodic, require_split
from stacklab.tasks.question_answering import QuestionAnswering


class Copying(Spec):
    """Random symbols: which symbol is `offset` positions back? Every position that has one has a target."""

    kind: Literal["copying"] = "copying"
    symbols: int = Field(default=16, ge=2, le=MOST)
    sequence_length: int = Field(default=12, ge=2, le=MOST)
    offset: int = Field(default=1, ge=1, le=MOST)

    @model_validator(mode="after")
    def _reaches(self) -> "Copying":
        if self.offset >= self.sequence_length:
            raise ValueError(f"{self.offset} back is outside of every sequence of length {self.sequence_length}")
        return self

    @property
    def vocab_size(self) -> int:
        return self.symbols

    @property
    def length(self) -> int:
        return self.sequence_length

    @property
    def names(self) -> tuple[str, ...]:
        return letters(self.symbols)

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
        tokens_BT = rng.integers(self.symbols, size=(size, self.length))
        targets_BT, slice_BT = no_targets(tokens_BT), no_targets(tokens_BT)
        targets_BT[:, self.offset :], slice_BT[:, self.offset :] = tokens_BT[:, : -self.offset], 0
        return TaskBatch(tokens_BT, targets_BT, slice_BT)

    def oracle(self, tokens_BT: Ids) -> Ids:
        return np.array(
            [[row[at - self.offset] if at >= self.offset else IGNORE for at in range(len(row))] for row in tokens_BT]
        )


def copying(task: Copying, *, sharpness: float, heads: int | None) -> Blueprint:
    """Scores depend on positions alone and differ by at least 2, times the sharpness."""
    ids, places = codes(task.vocab_size), codes(task.length)
    head = Head(
        f"every position attends to the position {task.offset} back and copies its symbol",
        (Term(("source",), ("here",), sharpness),),
        (copy("token", "copied", ids.shape[1]),),
    )
    return Blueprint(
        exercise=task,
        residual=Residual(token=ids.shape[1], here=places.shape[1], source=places.shape[1], copied=ids.shape[1]),
        tokens={"token": ids},
        positions={"here": places, "source": places[np.maximum(np.arange(task.length) - task.offset, 0)]},
        layers=shared((Layer("copying", (head,)),), heads),
        readout={"copied": ids},
        sharpness=sharpness,
    )


def question_answering(task: QuestionAnswering, *, sharpness: float, heads: int | None) -> Blueprint:
    ids, places = codes(task.vocab_size), codes(task.length)
    bits, wide = ids.shape[1], places.shape[1]
    is_answer = np.where(np.arange(task.vocab_size) < task.questions, -1.0, 1.0)[:, None]
    copying = Head(
        "every position attends to the one before it and copies its symbol",
        (Term(("before",), ("here",), sharpness),),
        (copy("token", "copied", bits),),
    )
    # The first position sees only itself and copies itself: a question, which must not count as an answer.
    matching = Head(
        "the question at the end attends to the answer that copied the same question and copies that answer",
        (Term(("token",), ("copied",), sharpness), Term(("one",), ("answer",), sharpness)),
        (copy("token", "result", bits),),
    )
    return Blueprint(
        exercise=task,
        residual=Residual(token=bits, answer=1, one=1, here=wide, before=wide, copied=bits, result=bits),
        tokens={"token": ids, "answer": is_answer},
        positions={
            "here": places,
            "before": places[np.maximum(np.arange(task.length) - 1, 0)],
            "one": np.ones((task.length, 1)),
        },
        layers=shared((Layer("copying", (copying,)), Layer("matching", (matching,))), heads),
        readout={"result": np.where(is_answer > 0, ids, 0.0)},
        sharpness=sharpness,
    )
