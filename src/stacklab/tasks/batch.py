"""A batch of task sequences, for training and evaluation."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]
Flags = NDArray[np.bool_]

IGNORE = -1
"""The target of positions without one, and the slice of positions that are not scored."""


class TaskBatch(NamedTuple):
    """B sequences of T ids, all int64.

    `targets_BT` holds the right id of each position that has a target, IGNORE elsewhere: the loss is over targets.
    `slice_BT` holds the difficulty of each scored position, IGNORE elsewhere: accuracy is over scored positions. Every
    scored position has a target; a target need not be scored (the empty answers of `k-hop`).
    """

    tokens_BT: Ids
    targets_BT: Ids
    slice_BT: Ids

    @property
    def target_mask_BT(self) -> Flags:
        """Whether a position has a target."""
        return np.not_equal(self.targets_BT, IGNORE)

    @property
    def scored_BT(self) -> Flags:
        """Whether a position counts for accuracy."""
        return np.not_equal(self.slice_BT, IGNORE)

    def of_slice(self, number: int) -> "TaskBatch":
        """The sequences with scored positions of this slice; no other position keeps its target."""
        inside_BT = self.slice_BT == number
        rows_B = inside_BT.any(axis=1)
        targets_BT, slice_BT = (np.where(inside_BT, ids_BT, IGNORE) for ids_BT in (self.targets_BT, self.slice_BT))
        return TaskBatch(self.tokens_BT[rows_B], targets_BT[rows_B], slice_BT[rows_B])


def no_targets(tokens_BT: Ids) -> Ids:
    """IGNORE at every position, in the shape of the tokens."""
    return np.full(tokens_BT.shape, IGNORE, dtype=np.int64)


def target_last(tokens_BT: Ids, answers_B: Ids, slice_B: Ids) -> TaskBatch:
    """A batch in which only the last position has a target and is scored."""
    targets_BT, slice_BT = no_targets(tokens_BT), no_targets(tokens_BT)
    targets_BT[:, -1], slice_BT[:, -1] = answers_B, slice_B
    return TaskBatch(tokens_BT, targets_BT, slice_BT)
