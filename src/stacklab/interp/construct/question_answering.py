"""Question answering in two layers: each answer copies the question before it; the last token attends to the copy of
its question.

The deciding scores of both layers differ by at least 2, times the sharpness. The stack: attention only, causal, one
head per layer or any number that share its moves, no norm, learned positions, read at the last position.
"""

import numpy as np

from stacklab.interp.construct.blueprint import Blueprint, Head, Layer, Residual, Term, codes, copy, shared
from stacklab.tasks.question_answering import QuestionAnswering


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
