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


def commonest_so_far(batch: TaskBatch, readout: Ids) -> float:
    """Accuracy of the answer id that the sequence has shown most often so far, ties broken at random.

    readout: ids that follow each other, as the tasks have them.
    """
    first, rows_B = int(readout[0]), np.arange(len(batch.tokens_BT))
    seen_BV = np.zeros((len(rows_B), readout.size), dtype=np.int64)
    right = 0.0
    for token_B, target_B, scored_B in zip(batch.tokens_BT.T, batch.targets_BT.T, batch.scored_BT.T, strict=True):
        shown_B = (token_B >= first) & (token_B < first + readout.size)
        seen_BV[rows_B[shown_B], token_B[shown_B] - first] += 1
        if scored_B.any():
            right += float(scored_B.sum()) * heaviest(target_B[scored_B] - first, seen_BV[scored_B])
    return right / float(batch.scored_BT.sum())


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
