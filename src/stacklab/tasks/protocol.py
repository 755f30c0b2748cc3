"""What every task has. A task is a frozen spec with these members, in a file of its own."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np

from stacklab.tasks.batch import Ids, TaskBatch

Split = Literal["train", "unseen"]
TRAIN_ONLY: tuple[Split, ...] = ("train",)


class Layout(NamedTuple):
    """Two coordinates of each position, for factored position codes: the place inside a group, and the group."""

    slot_T: Ids
    group_T: Ids


def periodic(length: int, period: int) -> Layout:
    """Groups of `period` positions; with `period` equal to `length`, slots are absolute positions.

    >>> periodic(5, 2).slot_T.tolist(), periodic(5, 2).group_T.tolist()
    ([0, 1, 0, 1, 0], [0, 0, 1, 1, 2])
    """
    group_T, slot_T = np.divmod(np.arange(length, dtype=np.int64), period)
    return Layout(slot_T, group_T)


class Exercise(Protocol):
    """Sequences with targets, as a pure function of (spec, generator), and an oracle for them."""

    @property
    def kind(self) -> str: ...

    @property
    def vocab_size(self) -> int:
        """Ids are 0 to vocab_size - 1; answers are ids too."""

    @property
    def length(self) -> int:
        """T, the number of positions of every sequence."""

    @property
    def names(self) -> tuple[str, ...]:
        """A short name of each id [vocab_size], none twice and without blanks."""

    @property
    def splits(self) -> tuple[Split, ...]:
        """`train` always; `unseen` where symbols are held out for the test.

        Where there is only `train`, every draw is fresh, and the test is another random stream of it. Only
        `sequence-classification` has a finite training set.
        """

    @property
    def layout(self) -> Layout: ...

    @property
    def fingerprint(self) -> str:
        """16 hex digits of the settings."""

    def dump(self) -> dict[str, Any]:
        """The settings, as plain values."""

    def draw(
        self, rng: np.random.Generator, size: int, *, split: Split = "train", step: int | None = None
    ) -> TaskBatch:
        """`size` sequences. `step` is the training step, for tasks with a curriculum; None in evaluation.

        Raises ValueError when the task has no such split.
        """

    def oracle(self, tokens_BT: Ids) -> Ids:
        """The right targets [B, T], read from the tokens alone, slowly and independently of `draw`.

        `sequence-classification`, whose answers follow no rule, reads them from the table that defines it.
        """


class SyntheticTask(Exercise, Protocol):
    """An exercise with what training on it and scoring it need."""

    @property
    def makeup(self) -> str:
        """The parts that add up to the length, in words: `8 pairs x 2 tokens + the question`."""

    @property
    def readout(self) -> Ids:
        """The ids that can be answers, ascending."""

    def slices(self) -> Mapping[int, str]:
        """The name of each value that `slice_BT` can have, from easy to hard where there is an order."""

    def baselines(self, batch: TaskBatch) -> dict[str, float]:
        """The accuracy of ways to guess without solving the task, over the scored positions of the batch."""


def require_split(task: Exercise, split: str) -> None:
    """Raises ValueError when the task has no such split."""
    if split not in task.splits:
        raise ValueError(f"{task.kind}: there is no split {split!r}; it has {', '.join(task.splits)}")
