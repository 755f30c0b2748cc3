"""Accuracies of guesses that may use the context but do not solve the task."""

import numpy as np

from stacklab.tasks.batch import Ids, TaskBatch


def most_frequent(batch: TaskBatch) -> float:
    """Accuracy of always giving the most frequent answer of the batch itself."""
    scored_N = batch.targets_BT[batch.scored_BT]
    return float(np.bincount(scored_N).max() / scored_N.size)


def hit_rate(batch: TaskBatch, guess_BT: Ids) -> float:
    """Accuracy of the guess over the scored positions."""
    return float((guess_BT == batch.targets_BT)[batch.scored_BT].mean())


def one_of(answers_N: Ids, candidates_NC: Ids) -> float:
    """Accuracy of picking one of the row's distinct candidates at random; negative candidates do not count.

    >>> one_of(np.array([3, 3]), np.array([[3, 4, 4], [5, 6, -1]]))
    0.25
    """
    ordered_NC = np.sort(candidates_NC, axis=1)
    first_NC = np.diff(ordered_NC, axis=1, prepend=-1) > 0
    hit_N = (candidates_NC == answers_N[:, None]).any(axis=1)
    return float((hit_N / np.maximum(first_NC.sum(axis=1), 1)).mean())


def heaviest(answers_N: Ids, weight_NV: np.ndarray) -> float:
    """Accuracy of the id with the greatest weight in the row, ties broken at random. Answers index the columns.

    >>> heaviest(np.array([0, 2]), np.array([[2, 2, 0], [0, 1, 3]]))
    0.75
    """
    top_NV = weight_NV == weight_NV.max(axis=1, keepdims=True)
    return float((top_NV[np.arange(answers_N.size), answers_N] / top_NV.sum(axis=1)).mean())
