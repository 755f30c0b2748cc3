import numpy as np

from stacklab.tasks.batch import IGNORE, TaskBatch, target_last
from stacklab.tasks.parts.guessing import heaviest, hit_rate, most_frequent, one_of

BATCH = TaskBatch(
    tokens_BT=np.array([[1, 2], [2, 2]]),
    targets_BT=np.array([[1, 2], [5, 2]]),
    slice_BT=np.array([[0, 0], [IGNORE, 0]]),
)


def test_only_scored_positions_count() -> None:
    """The 5 is asked and not scored."""
    assert most_frequent(BATCH) == 2 / 3
    assert hit_rate(BATCH, np.array([[1, 1], [5, 2]])) == 2 / 3


def test_a_guess_among_candidates_is_as_likely_for_each_different_one() -> None:
    assert one_of(np.array([3]), np.array([[3, 3, 4]])) == 1 / 2
    assert one_of(np.array([3]), np.array([[5, 4, 4]])) == 0
    assert one_of(np.array([3]), np.array([[-1, -1, 3]])) == 1
    assert one_of(np.array([3]), np.array([[-1, -1, -1]])) == 0
    assert one_of(np.array([0]), np.array([[0, 1]])) == 1 / 2


def test_ties_of_the_heaviest_are_shared() -> None:
    assert heaviest(np.array([1, 1, 1]), np.array([[0, 2, 2, 2], [0, 9, 1, 1], [3, 1, 0, 0]])) == (1 / 3 + 1 + 0) / 3


def test_asking_the_last_position_asks_no_other() -> None:
    batch = target_last(np.array([[7, 8, 9]]), np.array([4]), np.array([2]))
    assert batch.targets_BT.tolist() == [[IGNORE, IGNORE, 4]]
    assert batch.slice_BT.tolist() == [[IGNORE, IGNORE, 2]]
