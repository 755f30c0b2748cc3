"""A synthetic task as the data of a run, in place of text."""

from typing import Self

from pydantic import PositiveInt, model_validator

from stacklab.base.spec import Spec, added
from stacklab.tasks.spec import Task


class TaskData(Spec):
    """Fresh sequences of a task at every step, or a fixed set of them; `probe` sequences in each fixed evaluation set.

    The training probe is drawn as training batches are, or from the fixed training set. The validation and the tuning
    set use symbols that training never shows, where the task holds some out. Of a task of kind `arrays`, they are all
    sequences of the part.
    """

    task: Task
    probe: PositiveInt = 512
    train_sequences: int | None = added(None, ge=1, le=100_000_000)
    """Size of a fixed training set, which is visited in a new order in every epoch. None: fresh sequences; of a task of
    kind `arrays`, all of its training part."""

    @model_validator(mode="after")
    def _no_curriculum_on_a_fixed_set(self) -> Self:
        if self.train_sequences is not None and getattr(self.task, "curriculum", None) is not None:
            raise ValueError("a fixed training set cannot follow a curriculum over steps; set task.curriculum: null")
        return self

    @property
    def block_size(self) -> int:
        """Positions of a sequence."""
        return self.task.length
