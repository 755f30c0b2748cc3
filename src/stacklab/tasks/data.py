"""A synthetic task as what a run reads, in place of text."""

from pydantic import PositiveInt

from stacklab.base.spec import Spec
from stacklab.tasks.spec import Task


class TaskData(Spec):
    """Fresh sequences of a task at every step; `probe` sequences in each fixed set that is measured.

    The train probe is drawn as training is; the validation and the tuning set are of symbols that training never
    shows, for tasks that keep some.
    """

    task: Task
    probe: PositiveInt = 512

    @property
    def block_size(self) -> int:
        """Positions of a sequence."""
        return self.task.length
