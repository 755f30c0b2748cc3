"""The constructions by name, each with its exercise and the function that builds it."""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError

from stacklab.base.errors import SpecError
from stacklab.interp.construct.blueprint import Blueprint
from stacklab.interp.construct.copying import Copying, copying, question_answering
from stacklab.interp.construct.mapping import Mapping as MappingExercise
from stacklab.interp.construct.mapping import mapping
from stacklab.interp.construct.matching import Matching, matching
from stacklab.interp.construct.parsing import Parsing, parsing
from stacklab.interp.construct.sequence_classification import sequence_classification
from stacklab.interp.construct.template_matching import (
    in_context_template_matching,
    template_matching,
    template_matching_one_layer,
)
from stacklab.tasks.in_context_template_matching import InContextTemplateMatching
from stacklab.tasks.question_answering import QuestionAnswering
from stacklab.tasks.sequence_classification import SequenceClassification
from stacklab.tasks.template_matching import TemplateMatching

SHARPNESS = 16.0
LONGEST = 1024
"""The longest sequences, so that attention can be checked thousands of times."""


class Entry(NamedTuple):
    """The exercise, and build(exercise, sharpness=, heads=), where heads None takes the fewest that suffice."""

    exercise: type[Any]
    build: Callable[..., Blueprint]


CONSTRUCTIONS: dict[str, Entry] = {
    "copying": Entry(Copying, copying),
    "parsing": Entry(Parsing, parsing),
    "matching": Entry(Matching, matching),
    "mapping": Entry(MappingExercise, mapping),
    "sequence-classification": Entry(SequenceClassification, sequence_classification),
    "question-answering": Entry(QuestionAnswering, question_answering),
    "template-matching": Entry(TemplateMatching, template_matching),
    "template-matching-one-layer": Entry(TemplateMatching, template_matching_one_layer),
    "in-context-template-matching": Entry(InContextTemplateMatching, in_context_template_matching),
}


def blueprint(
    name: str,
    settings: Mapping[str, Any] | None = None,
    *,
    sharpness: float = SHARPNESS,
    heads: int | None = None,
) -> Blueprint:
    """A construction for an exercise with these settings. Raises SpecError for settings without one."""
    entry = find(name)
    if not math.isfinite(sharpness):
        raise SpecError(f"{name}: sharpness is {sharpness}; expected a finite number")
    try:
        exercise = entry.exercise(**(settings or {}))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        known = ", ".join(field for field in entry.exercise.model_fields if field != "kind")
        message = f"no such setting; it has {known}" if first["type"] == "extra_forbidden" else first["msg"]
        raise SpecError(f"{name}: {where}{': ' if where else ''}{message.removeprefix('Value error, ')}") from error
    if exercise.length > LONGEST:
        raise SpecError(f"{name}: sequences of {exercise.length} positions; at most {LONGEST} are supported")
    return entry.build(exercise, sharpness=sharpness, heads=heads)


def find(name: str) -> Entry:
    """The construction of that name. Raises SpecError with the known names."""
    if name not in CONSTRUCTIONS:
        raise SpecError(f"no construction is called {name!r}; there are {', '.join(CONSTRUCTIONS)}")
    return CONSTRUCTIONS[name]
