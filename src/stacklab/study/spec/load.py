"""Study files -> StudySpec, with scale and overrides applied; errors name file and line."""

import copy
import difflib
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from stacklab.base.errors import SpecError
from stacklab.base.files import exists
from stacklab.base.spec import is_tag
from stacklab.base.yamlfile import Places, load_yaml, parse_overrides
from stacklab.study.spec.grid import GridSpec, with_arms
from stacklab.study.spec.study import StudySpec

SECTIONS = ("data", "model", "train", "evaluate", "sample")
ALIKE = 0.65
"""Similarity (difflib) from which a key is suggested: `warmup` to `warmup_steps` 0.67, `alphabet` to `label` 0.62."""


def builtin_studies() -> dict[str, Path]:
    folder = Path(str(files("stacklab.study") / "builtin"))
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def find_study(name: str) -> Path:
    """The file of a built-in study, or the path itself. Raises SpecError with the nearest name."""
    known = builtin_studies()
    if name in known:
        return known[name]
    path = Path(name)
    if path.suffix in (".yaml", ".yml"):
        if exists(path):
            return path
        raise SpecError(f"{path}: no such study file")
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"built-in studies: {', '.join(known)}; or name a .yaml file"
    raise SpecError(f"no study is called {name!r}; {hint}")


def load_tree(path: Path) -> tuple[dict[str, Any], Places]:
    """A study file as plain values, with the arms of its grid written out; the file of a run as a study of one arm.

    Raises SpecError for a bad grid, and for a key that the file of a run does not have.
    """
    tree, places = load_yaml(path)
    if is_run(tree):
        return _as_study(tree, places, path)
    if tree.get("grid") is None:
        return tree, places
    try:
        grid = GridSpec.model_validate(tree["grid"])
    except ValidationError as error:
        raise SpecError(describe(error, places, within=("grid",))) from error
    return with_arms(tree, grid, places), places


RUN = "run"
"""The name of the one arm and of the one scale of a run's file."""
RUN_KEYS = ("name", "title", "background", "limits", "seed", *SECTIONS)


def is_run(tree: Mapping[str, Any]) -> bool:
    """Whether a file describes one run: sections of a configuration, and no arms to compare."""
    return not {"arms", "base"} & tree.keys() and any(section in tree for section in SECTIONS)


class RunPlaces(Places):
    """The lines of a run's file, whose sections are the base of its study."""

    def of(self, path: Sequence[str | int]) -> str:
        return super().of(_in_file(path))

    def dotted(self, path: Sequence[str | int]) -> str:
        return super().dotted(_in_file(path))


def _in_file(path: Sequence[str | int]) -> Sequence[str | int]:
    if tuple(path[:3]) == ("scales", RUN, "seeds"):
        return ("seed",)
    return path[1:] if path[:1] == ("base",) else path


def _as_study(tree: Mapping[str, Any], places: Places, path: Path) -> tuple[dict[str, Any], Places]:
    """One run as a study of one arm without claims. Raises SpecError for a key that a run does not have."""
    for key in tree:
        if key not in RUN_KEYS:
            near = difflib.get_close_matches(key, RUN_KEYS, n=1, cutoff=ALIKE)
            hint = f"did you mean {near[0]}?" if near else f"the file of a run has {', '.join(RUN_KEYS)}"
            if key in StudySpec.model_fields:
                hint = "it belongs to a study, which has base and arms"
            raise SpecError(f"{places.of((key,))}: {key}: unknown key; {hint}")
    name = tree.get("name", re.sub(r"[^a-z0-9]+", "-", path.stem.lower()).strip("-") or RUN)
    scale = {"description": "one run", "expected_time": "see `stacklab plan`", "seeds": [tree.get("seed", 1)]}
    return {
        "title": str(name),
        **{key: value for key, value in tree.items() if key not in (*SECTIONS, "seed")},
        "name": name,
        "question": "",
        "knobs": [],
        "base": {key: tree[key] for key in SECTIONS if key in tree},
        "arms": {RUN: {"label": str(name)}},
        "scales": {RUN: scale},
    }, RunPlaces(places.file, places.lines)


def read_study(name: str, *, scale: str, overrides: Sequence[str] = ()) -> StudySpec:
    """The study at one scale: the scale's settings are merged into the base, then the overrides.

    Raises SpecError naming file and line, or the override, of the first error.
    """
    tree, places = load_tree(find_study(name))
    validate(tree, places)
    scales = tree["scales"]
    if scale not in scales:
        raise SpecError(f"{places.of(('scales',))}: no scale {scale!r}; this study has {', '.join(scales)}")
    for dotted, value in scales[scale].get("set", {}).items():
        assign(tree["base"], dotted, value, where=places.of(("scales", scale, "set", dotted)))
    study = validate(tree, places)
    settings = parse_overrides(overrides)
    for dotted, value in settings.items():
        assign(tree["base"], dotted, value, where=f"override {dotted}")
        _check_reach(study, scale, dotted)
    return validate(tree, Overridden(settings)) if settings else study


class Overridden(Places):
    """Names the override that caused an error, or all of them if any may have."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        super().__init__(_overrides(settings))
        self._settings = settings

    def of(self, path: Sequence[str | int]) -> str:
        for length in range(len(path), 1, -1):
            where = ".".join(map(str, path[1:length]))
            near = {one: value for one, value in self._settings.items() if _within(where, one) or _within(one, where)}
            if near:
                return _overrides(near)
        return self.file


def _overrides(settings: Mapping[str, Any]) -> str:
    return f"override {' '.join(f'{dotted}={value}' for dotted, value in settings.items())}"


def _check_reach(study: StudySpec, scale: str, dotted: str) -> None:
    names = study.scales[scale].arms or tuple(study.arms)
    own = [next((path for path in study.arms[name].change if _within(dotted, path)), None) for name in names]
    if own and None not in own:
        raise SpecError(f"override {dotted}: every arm of scale {scale} sets {own[0]} itself, so nothing would change")


def _within(dotted: str, path: str) -> bool:
    return dotted == path or dotted.startswith(f"{path}.")


def assign(base: dict[str, Any], dotted: str, value: Any, *, where: str) -> None:
    """Set a dotted path such as `model.d_model` in a tree of plain values. A mapping is merged into the old one unless
    its `kind` changes. Steps replace epochs.

    Raises SpecError when the path does not start in a section of the base, or leads through a plain value.
    """
    keys = dotted.split(".")
    if keys[0] not in SECTIONS:
        raise SpecError(f"{where}: {dotted!r} is not a setting; a path starts with {', '.join(SECTIONS)}")
    node: Any = base
    for key in keys[:-1]:
        node = node.setdefault(key, {})
        if not isinstance(node, dict):
            raise SpecError(f"{where}: {key!r} in {dotted!r} is not a group of settings")
    old = node.get(keys[-1])
    if isinstance(old, dict) and isinstance(value, dict) and value.get("kind", old.get("kind")) == old.get("kind"):
        value = old | value
    node[keys[-1]] = copy.deepcopy(value)
    if dotted == "train.steps":
        node["epochs"] = None


def validate(tree: Mapping[str, Any], places: Places) -> StudySpec:
    """Raises SpecError for the first error: place, path, what was expected."""
    try:
        return StudySpec.model_validate(tree)
    except ValidationError as error:
        raise SpecError(describe(error, places)) from error


def describe(error: ValidationError, places: Places, *, within: tuple[str, ...] = ()) -> str:
    """One line for the first error of a validation, with the nearest name for an unknown key. within: the path of the
    validated part."""
    first = error.errors(include_url=False)[0]
    path = (*within, *(key for key in first["loc"] if not is_tag(key)))
    dotted = places.dotted(path) or "study"
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        message, names = "unknown key", _field_names()
        if path[-1] in names:
            message += " here; it belongs to other settings"
        elif near := difflib.get_close_matches(str(path[-1]), names, n=1, cutoff=ALIKE):
            message += f"; did you mean {near[0]}?"
    elif first["type"] not in ("value_error", "missing"):
        message += f", got {str(first['input'])[:60]!r}"
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{places.of(path)}: {dotted}: {message}{more}"


def _field_names() -> set[str]:
    """Every field name of the study's specs, for suggestions."""
    names: set[str] = set()
    for definition in StudySpec.model_json_schema()["$defs"].values():
        names.update(definition.get("properties", {}))
    return names | set(StudySpec.model_fields)
