"""Learning rates that a scale tries beside the one that the base states. No torch here."""

from pydantic import Field, NonNegativeFloat, PositiveFloat, field_validator

from stacklab.base.spec import Items, Spec
from stacklab.study.spec.checks import check_distinct, check_seeds

BOTH_RATES = "tuning tries every arm on a grid of rates already, so give one of the two"
NO_CELLS = "the study has no grid, so there are no cells of which one could fail"


class TuningSpec(Spec):
    """One grid for every arm: each learning rate with each weight decay (none given: the arm's own), once per seed.

    The setting with the lowest loss on the tuning split is an arm's own best. seeds: none that a claim rests on.
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
    """Learning rates at which a stack that would count as failing is trained again, with the same seeds and steps."""

    learning_rates: Items[PositiveFloat] = Field(min_length=1)

    @field_validator("learning_rates")
    @classmethod
    def _distinct(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        return check_distinct(values)
