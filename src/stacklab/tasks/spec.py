"""The tasks that there are: the union for a spec's field, and each by its `kind`."""

from typing import Annotated, get_args

from pydantic import Field

from stacklab.tasks.associative_recall import AssociativeRecall
from stacklab.tasks.fuzzy_recall import FuzzyRecall
from stacklab.tasks.group_word import GroupWord
from stacklab.tasks.in_context_recall import InContextRecall
from stacklab.tasks.in_context_template_matching import InContextTemplateMatching
from stacklab.tasks.k_hop import KHop
from stacklab.tasks.lego import Lego
from stacklab.tasks.memorisation import Memorisation
from stacklab.tasks.noisy_recall import NoisyRecall
from stacklab.tasks.parity import Parity
from stacklab.tasks.pointer_chasing import PointerChasing
from stacklab.tasks.question_answering import QuestionAnswering
from stacklab.tasks.selective_copying import SelectiveCopying
from stacklab.tasks.sequence_classification import SequenceClassification
from stacklab.tasks.template_matching import TemplateMatching
from stacklab.tasks.two_hop import TwoHop

AnyTask = (
    SequenceClassification
    | QuestionAnswering
    | TemplateMatching
    | InContextTemplateMatching
    | KHop
    | AssociativeRecall
    | TwoHop
    | PointerChasing
    | GroupWord
    | Parity
    | Lego
    | InContextRecall
    | NoisyRecall
    | FuzzyRecall
    | SelectiveCopying
    | Memorisation
)
Task = Annotated[AnyTask, Field(discriminator="kind")]
"""For a spec's field: a mapping with `kind` and that task's fields."""


TASKS: dict[str, type[AnyTask]] = {task.model_fields["kind"].default: task for task in get_args(AnyTask)}
"""In the order of the union, which is that of the page."""
