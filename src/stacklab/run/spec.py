"""RunSpec: one arm with one seed, complete. Its fingerprint is the run's identity."""

from typing import Literal

from pydantic import Field

from stacklab.base.spec import Spec
from stacklab.data.spec import DataSpec
from stacklab.model.spec import ModelSpec
from stacklab.train.spec import EvaluateSpec, SampleSpec, TrainSpec


class RunSpec(Spec):
    """Everything that decides the run's numbers, and nothing else.

    data_fingerprint: the prepared data's content, so that a changed file is another run.
    format: raised when the code changes what the same spec computes.
    """

    format: Literal[1] = 1
    data: DataSpec
    data_fingerprint: str
    model: ModelSpec
    train: TrainSpec
    evaluate: EvaluateSpec
    sample: SampleSpec
    seed: int = Field(ge=0)

    @property
    def run_id(self) -> str:
        return self.fingerprint
