"""Learning rates that a scale tries in addition to the base's. No torch here."""

from pydantic import Field, NonNegativeFloat, PositiveFloat, field_validator

from stacklab.base.spec import Items, Spec
from stacklab.study.spec.checks import check_distinct, check_seeds

BOTH_RATES = "tuning already trains every arm on a grid of rates; set only one of tuning and retry"
NO_CELLS = "the study has no grid, so it has no cells that could fail and be retried"


class TuningSpec(Spec):
    """One grid for all arms: each learning rate with each weight decay (default: the arm's own), once per seed.

    An arm's best setting is the one with the lowest loss on the tuning split. seeds: other than the seeds of claims.
    """

    learning_rates: Items[PositiveFloat] = Field(min_length=1)
    weight_decays: Items[NonNegativeFloat] = ()
    seeds: Items[int] = (1001, 1002)

    @field_validator("learning_rates", "weight_decays")
    @classmethod
    def _distinct(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        return check_distinct(values)

    @field_validator("seeds")
    @classmethod
    def _seeds(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        return check_seeds(seeds)


class RetrySpec(Spec):
    """Learning rates at which a stack that fails is trained again, with the same seeds and steps."""

    learning_rates: Items[PositiveFloat] = Field(min_length=1)

    @field_validator("learning_rates")
    @classmethod
    def _distinct(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        return check_distinct(values)
