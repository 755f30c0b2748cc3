"""A grid of arms: every combination of its axes, written out as arms before the study is validated."""

from collections.abc import Mapping
from itertools import product
from typing import Any, NamedTuple

from stacklab.base.errors import SpecError
from stacklab.base.yamlfile import Places


class AxisValue(NamedTuple):
    """One value of an axis. `part` is its part of an arm's name."""

    axis: str
    value: str
    part: str
    label: str
    changes: dict[str, Any]


def expand(tree: dict[str, Any], places: Places) -> dict[str, Any]:
    """The study with an arm for each combination, named after the values: `recall-layers-2-heads-1`.

    A tree without a grid, or with one of another form, is returned as it is; validation tells the rest. Raises
    SpecError for an arm that stands in the file under the same name.
    """
    grid = tree.get("grid")
    if not isinstance(grid, dict) or not _has_form(grid.get("axes")):
        return tree
    arms = dict(tree.get("arms") or {})
    for name, combination in combinations(grid["axes"]).items():
        if name in arms:
            raise SpecError(f"{places.of(('arms', name))}: arms.{name}: the grid makes an arm of this name")
        changes = {path: setting for value in combination for path, setting in value.changes.items()}
        arms[name] = {"label": ", ".join(value.label for value in combination), "change": changes}
    return tree | {"arms": arms}


def combinations(axes: Mapping[str, Any]) -> dict[str, tuple[AxisValue, ...]]:
    """Arm -> its values, one of each axis."""
    columns = [_axis_values(axis, given) for axis, given in axes.items()]
    return {"-".join(value.part for value in row): row for row in product(*columns)}


def _axis_values(axis: str, given: Mapping[str, Any]) -> list[AxisValue]:
    if "path" not in given:
        return [AxisValue(axis, str(name), str(name), str(name), dict(changes)) for name, changes in given.items()]
    noun = axis.removesuffix("s")
    return [
        AxisValue(
            axis,
            str(setting),
            f"{axis}-{setting}",
            f"{setting} {noun if setting == 1 else axis}",
            {given["path"]: setting},
        )
        for setting in given["values"]
    ]


def _has_form(axes: Any) -> bool:
    return isinstance(axes, dict) and all(
        isinstance(axis, dict)
        and (
            isinstance(axis.get("values"), list) if "path" in axis else all(isinstance(v, dict) for v in axis.values())
        )
        for axis in axes.values()
    )
