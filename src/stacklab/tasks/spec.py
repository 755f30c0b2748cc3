"""The tasks that there are: the union for a spec's field, and each by its `kind`."""

import pkgutil
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from stacklab.tasks.arrays import Arrays
from stacklab.tasks.protocol import SyntheticTask

GENERATED = (
    "sequence_classification:SequenceClassification",
    "question_answering:QuestionAnswering",
    "template_matching:TemplateMatching",
    "in_context_template_matching:InContextTemplateMatching",
    "k_hop:KHop",
    "associative_recall:AssociativeRecall",
    "two_hop:TwoHop",
    "pointer_chasing:PointerChasing",
    "group_word:GroupWord",
    "parity:Parity",
    "lego:Lego",
    "in_context_recall:InContextRecall",
    "noisy_recall:NoisyRecall",
    "fuzzy_recall:FuzzyRecall",
    "selective_copying:SelectiveCopying",
    "memorisation:Memorisation",
)
"""Module and class of each task that makes its own sequences, in the order of the page."""

_CLASSES: list[type[Any]] = [pkgutil.resolve_name(f"stacklab.tasks.{name}") for name in GENERATED]
TASKS: dict[str, type[Any]] = {task.model_fields["kind"].default: task for task in _CLASSES}
"""Kind -> class, of the tasks that make their own sequences."""

if TYPE_CHECKING:
    AnyTask = SyntheticTask
    Task = SyntheticTask
else:
    AnyTask = reduce(or_, [*_CLASSES, Arrays])
    Task = Annotated[AnyTask, Field(discriminator="kind")]
"""For a spec's field: a mapping with `kind` and that task's fields."""
