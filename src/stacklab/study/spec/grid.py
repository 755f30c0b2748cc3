"""Arms that are a grid: every combination of its axes. No torch here."""

from itertools import product
from typing import Annotated, Any, NamedTuple, Self

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from stacklab.base.spec import Items, Spec, Text
from stacklab.run.metrics import check_metric, is_share

Value = bool | int | float | str | None


class AxisValue(NamedTuple):
    """One value of an axis that makes arms. `part` is its part of an arm's name."""

    axis: str
    value: str
    part: str
    label: str
    changes: dict[str, Any]


class Listed(Spec):
    """An axis with a list of values."""

    values: Items[Value] = Field(min_length=1)

    @field_validator("values")
    @classmethod
    def _distinct(cls, values: tuple[Value, ...]) -> tuple[Value, ...]:
        names = [str(value) for value in values]
        if len(set(names)) < len(names):
            raise ValueError(f"the axis has a value twice: {', '.join(names)}")
        return values

    @property
    def names(self) -> list[str]:
        return [str(value) for value in self.values]


class PathAxis(Listed):
    """Values of one setting of the base."""

    path: Text

    def arm_values(self, axis: str) -> list[AxisValue]:
        noun = axis.removesuffix("s")
        return [
            AxisValue(
                axis,
                str(value),
                f"{axis}-{value}",
                f"{value} {noun if value == 1 else axis}",
                {self.path: value},
            )
            for value in self.values
        ]


class MetricAxis(Listed):
    """Metrics of every arm, `{}` in the name standing for the value; such an axis makes no arms."""

    metric: Text

    def metrics(self) -> dict[str, str]:
        """Value -> metric."""
        return {name: self.metric.replace("{}", name) for name in self.names}


NamedAxis = Annotated[dict[Text, dict[Text, Any]], Field(min_length=1)]
"""Name of a value -> the settings that it changes."""


def _kind_of_axis(value: Any) -> str:
    keys = value if isinstance(value, dict) else type(value).model_fields if isinstance(value, Spec) else ()
    return "(path)" if "path" in keys else "(metric)" if "metric" in keys else "(names)"


Axis = Annotated[
    Annotated[PathAxis, Tag("(path)")] | Annotated[MetricAxis, Tag("(metric)")] | Annotated[NamedAxis, Tag("(names)")],
    Discriminator(_kind_of_axis),
]


class PredictedSpec(Spec):
    """The threshold that theory gives a column: the value of the depth axis, where the other axes are `at`."""

    at: dict[Text, Text]
    depth: Text


class PredictionSpec(Spec):
    """A line in the maps. label: the rule that the depths follow, and whose it is."""

    label: Text
    depths: Items[PredictedSpec] = Field(min_length=1)


class GridSpec(Spec):
    """Arms that are every combination of some axes, and what is measured on each of them.

    axes: name -> {path: model.num_layers, values: [1, 2]}, or {a name: {path: value, ...}, another name: ...};
    or, for what every arm is measured on, {metric: "validation.accuracy.k={}", values: [1, 2]}, which makes no arms.
    depth: the axis along which the smallest value that solves is sought; across: the other axis of the maps.
    solved: a seed solves when its final `metric` is at least this.
    """

    axes: dict[Text, Axis] = Field(min_length=1)
    depth: Text
    across: Text
    metric: Text = "validation.accuracy"
    solved: float = 0.95
    predicted: PredictionSpec | None = None

    @model_validator(mode="after")
    def _axes_exist(self) -> Self:
        for name in (self.depth, self.across):
            if name not in self.axes:
                raise ValueError(f"there is no axis {name!r}; the axes are {', '.join(self.axes)}")
        if self.depth == self.across:
            raise ValueError(f"depth and across are both {self.depth!r}; a map needs two axes")
        if len(both := [name for name, axis in self.axes.items() if isinstance(axis, MetricAxis)]) > 1:
            raise ValueError(f"the axes {' and '.join(both)} are both of metrics; a grid reads one such axis")
        return self

    @model_validator(mode="after")
    def _depth_ascends(self) -> Self:
        axis = self.axes[self.depth]
        numbers = [value for value in axis.values if isinstance(value, int)] if isinstance(axis, Listed) else []
        if isinstance(axis, Listed) and len(numbers) == len(axis.values) and numbers != sorted(numbers):
            raise ValueError(
                f"the axis {self.depth!r} must ascend, so that the first value that solves is the smallest"
            )
        return self

    @model_validator(mode="after")
    def _predictions_have_places(self) -> Self:
        for predicted in self.predicted.depths if self.predicted else ():
            if unknown := set(predicted.at) - set(self.axes):
                raise ValueError(f"predicted names the axis {min(unknown)!r}; the axes are {', '.join(self.axes)}")
            for name, value in predicted.at.items():
                if value not in self.values(name):
                    raise ValueError(f"predicted.at: {name} {value} is none of {', '.join(self.values(name))}")
        return self

    @model_validator(mode="after")
    def _metrics_exist(self) -> Self:
        metrics = [check_metric(metric) for _, metric in self.measured()]
        if is_share(metrics[0]) and not 0 < self.solved <= 1:
            raise ValueError(f"solved = {self.solved:g}: {metrics[0]} is a share of answers, above 0 and at most 1")
        return self

    def values(self, axis: str) -> list[str]:
        """The names of an axis's values, in its order."""
        given = self.axes[axis]
        return given.names if isinstance(given, Listed) else list(given)

    def combinations(self) -> dict[str, tuple[AxisValue, ...]]:
        """Arm -> its values, one of each axis that makes arms."""
        columns = [_arm_values(name, axis) for name, axis in self.axes.items() if not isinstance(axis, MetricAxis)]
        return {"-".join(value.part for value in row): row for row in product(*columns)}

    def measured(self) -> list[tuple[dict[str, str], str]]:
        """What every arm is measured on: axis -> value, and the metric; without an axis of metrics, `metric` alone."""
        for name, axis in self.axes.items():
            if isinstance(axis, MetricAxis):
                return [({name: value}, metric) for value, metric in axis.metrics().items()]
        return [({}, self.metric)]


def _arm_values(name: str, axis: PathAxis | dict[str, dict[str, Any]]) -> list[AxisValue]:
    if isinstance(axis, PathAxis):
        return axis.arm_values(name)
    return [AxisValue(name, value, value, value, changes) for value, changes in axis.items()]
