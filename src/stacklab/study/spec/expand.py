"""A study's grid written out as arms, before the study is validated."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from stacklab.base.errors import SpecError
from stacklab.base.yamlfile import Places
from stacklab.study.spec.grid import GridSpec


def with_arms(tree: dict[str, Any], grid: GridSpec, places: Places) -> dict[str, Any]:
    """The study with an arm for each combination, named after the values: `recall-layers-2-heads-1`; the scales' arms
    may then be patterns such as `recall-*-heads-[14]`.

    Arms and scales of another form are left as they are, for validation to refuse. Raises SpecError for an arm that
    stands in the file under the same name, and for a pattern that fits no arm.
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
        tree = tree | {"scales": {key: _spelled_out(key, scale, arms, places) for key, scale in scales.items()}}
    return tree | {"arms": arms}


def _spelled_out(key: str, scale: Any, arms: Mapping[str, Any], places: Places) -> Any:
    """A scale with its patterns replaced by the arms that fit, each named once."""
    given = scale.get("arms") if isinstance(scale, dict) else None
    if not isinstance(given, list) or not all(isinstance(pattern, str) for pattern in given):
        return scale
    names: dict[str, None] = {}
    for pattern in given:
        fit = [name for name in arms if fnmatchcase(str(name), pattern)]
        if not fit and set(pattern) & set("*?["):
            raise SpecError(f"{places.of(('scales', key, 'arms'))}: scales.{key}.arms: no arm fits {pattern!r}")
        names |= dict.fromkeys(fit or [pattern])
    return scale | {"arms": list(names)}
