"""Stated numbers from a YAML file, and several sources of them laid over each other."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from stacklab.audit.spec import Stated
from stacklab.base.errors import SpecError
from stacklab.base.spec import Spec
from stacklab.base.yamlfile import load_yaml

S = TypeVar("S", bound=Spec)


def read_stated(path: Path) -> Stated:
    """Raises SpecError naming file and line of the first thing wrong."""
    tree, places = load_yaml(path)
    try:
        return Stated.model_validate(tree)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        dotted = ".".join(str(key) for key in first["loc"]) or "the top"
        message = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            message = "unknown key"
        raise SpecError(f"{places.of(first['loc'])}: {dotted}: {message}") from error


def merge(sources: Sequence[Stated]) -> Stated:
    """Setting by setting the first source that states it; the arms come whole from the first source that has any."""
    return Stated(
        model=_first_of([source.model for source in sources]),
        training=_first_of([source.training for source in sources]),
        arms=next((source.arms for source in sources if source.arms), ()),
        control_width=next((source.control_width for source in sources if source.control_width), None),
    )


def _first_of(specs: Sequence[S]) -> S:
    values = {}
    for name in type(specs[0]).model_fields:
        values[name] = next((value for spec in specs if (value := getattr(spec, name)) is not None), None)
    return specs[0].model_copy(update=values)
