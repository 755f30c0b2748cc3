"""A synthetic task as the data of a run, in place of text."""

from pydantic import PositiveInt

from stacklab.base.spec import Spec
from stacklab.tasks.spec import Task


class TaskData(Spec):
    """Fresh sequences of a task at every step; `probe` sequences in each fixed evaluation set.

    The training probe is drawn as training batches are. The validation and the tuning set use symbols that training
    never shows, where the task holds some out.
    """

    task: Task
    probe: PositiveInt = 512

    @property
    def block_size(self) -> int:
        """Positions of a sequence."""
        return self.task.length
