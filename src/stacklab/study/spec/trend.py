"""A trend: one metric of several series of arms against a quantity of their stacks. No torch here."""

from typing import Literal, Self

from pydantic import Field, PositiveFloat, field_validator, model_validator

from stacklab.base.spec import Items, Spec, Text
from stacklab.model.spec import ModelSpec
from stacklab.run.metrics import check_metric
from stacklab.study.spec.checks import twice

Against = Literal["total_heads"]


class TrendSpec(Spec):
    """`metric` against a quantity, an exponential fit for each series, and its gap to that of `reference` at `at`.

    against: total_heads is the number of attention heads of all layers together.
    series: name -> arms. An arm belongs to one series at most; a scale shows those that it runs.
    reported: series -> the gap reported in the source, as a share of the reference's value.
    """

    metric: Text = "validation.loss"
    against: Against = "total_heads"
    series: dict[Text, Items[Text]] = Field(min_length=1)
    reference: Text
    at: PositiveFloat
    reported: dict[Text, float] = Field(default_factory=dict)

    @field_validator("metric")
    @classmethod
    def _some_run_has_it(cls, metric: str) -> str:
        return check_metric(metric)

    @model_validator(mode="after")
    def _series_fit(self) -> Self:
        if self.reference not in self.series:
            raise ValueError(f"there is no series {self.reference!r}; the series are {', '.join(self.series)}")
        if unknown := [name for name in self.reported if name not in self.series or name == self.reference]:
            raise ValueError(f"reported: no gap is computed for the series {unknown[0]!r}")
        if empty := [name for name, arms in self.series.items() if not arms]:
            raise ValueError(f"the series {empty[0]!r} has no arms")
        arms = [arm for series in self.series.values() for arm in series]
        if repeated := twice(arms):
            raise ValueError(f"the arm {repeated[0]!r} is in the series twice; an arm belongs to one series")
        return self


def quantity_of(model: ModelSpec, against: Against) -> int:
    """A stack's value on the axis of a trend."""
    return {"total_heads": sum(layer.num_heads for layer in model.layers)}[against]
