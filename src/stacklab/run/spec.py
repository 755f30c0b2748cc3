"""RunSpec: the complete specification of one arm with one seed. Its fingerprint is the run's identity."""

from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from stacklab.base.spec import Spec
from stacklab.data.spec import DataSpec
from stacklab.model.spec import ModelSpec
from stacklab.tasks.data import TaskData
from stacklab.train.spec import EvaluateSpec, SampleSpec, TrainSpec

TEXT, TASK = "(text)", "(task)"
"""Tags of the kinds of data, in parentheses to set them apart from keys in the path of a validation error."""


def _kind_of_data(value: Any) -> str:
    is_task = "task" in value if isinstance(value, dict) else isinstance(value, TaskData)
    return TASK if is_task else TEXT


RunData = Annotated[Annotated[DataSpec, Tag(TEXT)] | Annotated[TaskData, Tag(TASK)], Discriminator(_kind_of_data)]
"""Text, or a synthetic task, which has the key `task`."""


class RunSpec(Spec):
    """Everything that determines the run's numbers, and nothing else.

    data_fingerprint: fingerprint of the prepared data, so that a changed file makes another run.
    format: raised when the code changes what the same spec computes.
    """

    format: Literal[1] = 1
    data: RunData
    data_fingerprint: str
    model: ModelSpec
    train: TrainSpec
    evaluate: EvaluateSpec
    sample: SampleSpec
    seed: int = Field(ge=0)

    @model_validator(mode="after")
    def _optimizer_has_rules(self) -> Self:
        self.train.optimizer.check_parametrisation(self.model.parametrisation.kind)
        return self

    @property
    def run_id(self) -> str:
        return self.fingerprint
