"""Held-out problems as the model sees them."""

from functools import partial

from stacklab.data.prepared import PreparedData
from stacklab.data.procedural.corpus import is_correct
from stacklab.train.evaluate import Question


def questions(data: PreparedData, *, per_hops: int) -> list[Question]:
    """The first `per_hops` problems of each number of hops in the validation split; the same for every run.

    Problems of a corpus that does not count hops are one group.
    """
    taken: dict[int | None, int] = {}
    chosen = []
    for problem in data.problems:
        if taken.get(problem.hops, 0) < per_hops:
            taken[problem.hops] = taken.get(problem.hops, 0) + 1
            judge = partial(_judge, data, problem.answer)
            chosen.append(Question(data.encode(problem.prompt_text), problem.hops, judge))
    return chosen


def _judge(data: PreparedData, answer: str, ids: list[int]) -> bool:
    return is_correct(data.decode(ids), answer)
