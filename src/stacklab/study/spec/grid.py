"""Grids of arms: one arm for every combination of the values of its axes. No torch here."""

import math
from collections.abc import Mapping
from fnmatch import fnmatchcase
from itertools import product
from typing import Annotated, Any, NamedTuple, Self

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from stacklab.base.errors import SpecError
from stacklab.base.spec import Items, Spec, Text
from stacklab.base.yamlfile import Places
from stacklab.run.metrics import check_metric, is_share
from stacklab.study.spec.checks import MOST_ARMS

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
    """Metrics of every arm: `{}` in the name is replaced by the value. Such an axis makes no arms."""

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
    """A predicted threshold: the value of the depth axis where the other axes have the values `at`."""

    at: dict[Text, Text]
    depth: Text


class PredictionSpec(Spec):
    """The predictions drawn into the maps. label: the rule behind them, with its source."""

    label: Text
    depths: Items[PredictedSpec] = Field(min_length=1)


class GridSpec(Spec):
    """An arm for every combination of some axes, and the metrics that each is judged by.

    axes: name -> {path: model.num_layers, values: [1, 2]}, or {a name: {path: value, ...}, another name: ...};
    or, for several metrics of every arm, {metric: "validation.accuracy.k={}", values: [1, 2]}, which makes no arms.
    depth: the axis on which the smallest value that solves is determined; across: the other axis of the maps.
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
            raise ValueError(f"the axes {' and '.join(both)} are both metric axes; a grid has at most one")
        return self

    @model_validator(mode="after")
    def _can_be_described(self) -> Self:
        """Before the combinations are listed."""
        sizes = [len(self.values(name)) for name, axis in self.axes.items() if not isinstance(axis, MetricAxis)]
        if (arms := math.prod(sizes)) > MOST_ARMS:
            raise ValueError(
                f"axes: {' x '.join(f'{size:,}' for size in sizes)} = {arms:,} arms, expected at most {MOST_ARMS:,}, "
                "since a plan describes each"
            )
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
        spec = self.axes[axis]
        return spec.names if isinstance(spec, Listed) else list(spec)

    def combinations(self) -> dict[str, tuple[AxisValue, ...]]:
        """Arm -> its values, one for each axis that makes arms."""
        columns = [_arm_values(name, axis) for name, axis in self.axes.items() if not isinstance(axis, MetricAxis)]
        return {"-".join(value.part for value in row): row for row in product(*columns)}

    def measured(self) -> list[tuple[dict[str, str], str]]:
        """The metrics of every arm, each with its place {axis: value}; without a metric axis, `metric` alone."""
        for name, axis in self.axes.items():
            if isinstance(axis, MetricAxis):
                return [({name: value}, metric) for value, metric in axis.metrics().items()]
        return [({}, self.metric)]


def _arm_values(name: str, axis: PathAxis | dict[str, dict[str, Any]]) -> list[AxisValue]:
    if isinstance(axis, PathAxis):
        return axis.arm_values(name)
    return [AxisValue(name, value, value, value, changes) for value, changes in axis.items()]


def with_arms(tree: dict[str, Any], grid: GridSpec, places: Places) -> dict[str, Any]:
    """The study with an arm for each combination, named after the values: `recall-layers-2-heads-1`; the scales' arms
    may then be patterns such as `recall-*-heads-[14]`.

    Malformed arms and scales are left for validation to refuse. Raises SpecError for an arm of the file with the name
    of an arm of the grid, and for a pattern that matches no arm.
    """
    own = tree.get("arms") or {}
    if not isinstance(own, dict):
        return tree
    arms = dict(own)
    for name, combination in grid.combinations().items():
        if name in arms:
            raise SpecError(f"{places.of(('arms', name))}: arms.{name}: the grid makes an arm of this name")
        changes = {path: setting for value in combination for path, setting in value.changes.items()}
        arms[name] = {"label": ", ".join(value.label for value in combination), "change": changes}
    scales = tree.get("scales")
    if isinstance(scales, dict):
        tree = tree | {"scales": {key: _expanded(key, scale, arms, places) for key, scale in scales.items()}}
    return tree | {"arms": arms}


def _expanded(key: str, scale: Any, arms: Mapping[str, Any], places: Places) -> Any:
    """A scale with its patterns replaced by the arms that match, each named once."""
    patterns = scale.get("arms") if isinstance(scale, dict) else None
    if not isinstance(patterns, list) or not all(isinstance(pattern, str) for pattern in patterns):
        return scale
    names: dict[str, None] = {}
    for pattern in patterns:
        matching = [name for name in arms if fnmatchcase(str(name), pattern)]
        if not matching and set(pattern) & set("*?["):
            raise SpecError(f"{places.of(('scales', key, 'arms'))}: scales.{key}.arms: no arm matches {pattern!r}")
        names |= dict.fromkeys(matching or [pattern])
    return scale | {"arms": list(names)}
