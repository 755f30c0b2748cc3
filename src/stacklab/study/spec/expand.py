"""A grid of arms: every combination of its axes, written out as arms before the study is validated."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from itertools import product
from typing import Any, NamedTuple

from stacklab.base.errors import SpecError
from stacklab.base.yamlfile import Places


class AxisValue(NamedTuple):
    """One value of an axis that makes arms. `part` is its part of an arm's name."""

    axis: str
    value: str
    part: str
    label: str
    changes: dict[str, Any]


def expand(tree: dict[str, Any], places: Places) -> dict[str, Any]:
    """The study with an arm for each combination, named after the values: `recall-layers-2-heads-1`; the scales' arms
    may then be patterns such as `recall-*-heads-[14]`.

    A tree without a grid, or with one of another form, is returned as it is; validation tells the rest. Raises
    SpecError for an arm that stands in the file under the same name, and for a pattern that no arm fits.
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
    scales = tree.get("scales")
    if isinstance(scales, dict):
        tree = tree | {"scales": {key: _spelled_out(key, scale, arms, places) for key, scale in scales.items()}}
    return tree | {"arms": arms}


def combinations(axes: Mapping[str, Any]) -> dict[str, tuple[AxisValue, ...]]:
    """Arm -> its values, one of each axis that makes arms."""
    columns = [_axis_values(axis, given) for axis, given in axes.items() if "metric" not in given]
    return {"-".join(value.part for value in row): row for row in product(*columns)}


def measured(axes: Mapping[str, Any], metric: str) -> list[tuple[dict[str, str], str]]:
    """What every arm is measured on: axis -> value, and the metric; without an axis of metrics, `metric` alone."""
    columns = [
        [(axis, str(value), str(given["metric"]).replace("{}", str(value))) for value in given["values"]]
        for axis, given in axes.items()
        if "metric" in given
    ]
    if not columns:
        return [({}, metric)]
    (column,) = columns
    return [({axis: value}, name) for axis, value, name in column]


def _spelled_out(key: str, scale: Any, arms: Mapping[str, Any], places: Places) -> Any:
    """A scale with its patterns replaced by the arms that fit, each named once."""
    given = scale.get("arms") if isinstance(scale, dict) else None
    if not isinstance(given, list):
        return scale
    found: dict[str, None] = {}
    for pattern in given:
        fit = [name for name in arms if fnmatchcase(name, str(pattern))]
        if not fit and set(str(pattern)) & set("*?["):
            raise SpecError(f"{places.of(('scales', key, 'arms'))}: scales.{key}.arms: no arm fits {pattern!r}")
        found |= dict.fromkeys(fit or [pattern])
    return scale | {"arms": list(found)}


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
            isinstance(axis.get("values"), list)
            if "path" in axis or "metric" in axis
            else all(isinstance(v, dict) for v in axis.values())
        )
        for axis in axes.values()
    )
