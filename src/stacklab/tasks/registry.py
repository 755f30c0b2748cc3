"""The tasks by their `kind`."""

from typing import get_args

from stacklab.tasks.spec import AnyTask

TASKS: dict[str, type[AnyTask]] = {task.model_fields["kind"].default: task for task in get_args(AnyTask)}
"""In the order of the union, which is that of the page."""
