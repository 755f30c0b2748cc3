"""Arms that are a grid. No torch here."""

from typing import Any, Self

from pydantic import Field, model_validator

from stacklab.base.spec import Items, Spec, Text
from stacklab.run.metrics import check_metric, is_share
from stacklab.study.spec.expand import measured


class PredictedSpec(Spec):
    """The threshold that theory gives a column: the value of the depth axis, where the other axes are `at`."""

    at: dict[Text, Text]
    depth: Text


class PredictionSpec(Spec):
    """A line in the maps. label: the rule that the depths follow, and whose it is."""

    label: Text
    depths: Items[PredictedSpec] = Field(min_length=1)


class GridSpec(Spec):
    """Arms that are every combination of some axes, and what each of them is asked.

    axes: name -> {path: model.num_layers, values: [1, 2]}, or {a name: {path: value, ...}, another name: ...};
    or, of what every arm is measured on, {metric: "validation.accuracy.k={}", values: [1, 2]}, which makes no arms.
    depth: the axis along which the smallest value that solves is sought; across: the other axis of the maps.
    solved: a seed solves when its final `metric` is at least this.
    """

    axes: dict[Text, dict[Text, Any]] = Field(min_length=1)
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
        if len(both := [name for name, axis in self.axes.items() if "metric" in axis]) > 1:
            raise ValueError(f"the axes {' and '.join(both)} are both of metrics; a grid reads one such axis")
        for name, axis in self.axes.items():
            if ("path" in axis or "metric" in axis) and not isinstance(axis.get("values"), list):
                raise ValueError(f"the axis {name!r} lists no values")
            if not self.values(name):
                raise ValueError(f"the axis {name!r} has no values")
            if len(set(self.values(name))) < len(self.values(name)):
                raise ValueError(f"the axis {name!r} has a value twice: {', '.join(self.values(name))}")
        return self

    @model_validator(mode="after")
    def _depth_ascends(self) -> Self:
        depths = self.axes[self.depth].get("values", ())
        if all(isinstance(one, int) for one in depths) and list(depths) != sorted(depths):
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
        metrics = [metric for _, metric in measured(self.axes, self.metric)]
        for metric in metrics:
            check_metric(metric)
        if is_share(metrics[0]) and not 0 < self.solved <= 1:
            raise ValueError(f"solved = {self.solved:g}: {metrics[0]} is a share of answers, above 0 and at most 1")
        return self

    def values(self, axis: str) -> list[str]:
        """The names of an axis's values, in its order."""
        given = self.axes[axis]
        return [str(value) for value in given.get("values", given)]
