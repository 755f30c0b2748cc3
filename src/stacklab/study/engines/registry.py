"""The engines by name. A new engine is a file in this folder and an entry in ENGINES.

Names and summaries are read for help texts, so nothing is imported until an engine is made.
"""

import os
import pkgutil
from typing import NamedTuple

from stacklab.base.errors import SpecError
from stacklab.study.engines.protocol import Engine


class EngineEntry(NamedTuple):
    """path: dotted path of the class, which is called with `workers`. summary: for the help text."""

    path: str
    summary: str
    needs_fork: bool = True


ENGINES = {
    "processes": EngineEntry(
        "stacklab.study.engines.processes:ProcessesEngine", "one process per run, several runs at the same time"
    ),
    "replicas": EngineEntry(
        "stacklab.study.engines.processes:ReplicasEngine",
        "the same, but small runs of equal shape over tasks share a process",
    ),
    "inline": EngineEntry(
        "stacklab.study.engines.inline:InlineEngine", "one run after the other, in this process", needs_fork=False
    ),
}
DEFAULT_ENGINE = "processes"


def check_engine(name: str) -> str:
    """The name unchanged. Raises ValueError, listing the engines, if none has it."""
    if name not in ENGINES:
        raise ValueError(f"{name!r} is not an engine; choose one of {', '.join(ENGINES)}")
    return name


def make_engine(name: str, *, workers: int | None = None) -> Engine:
    """The engine called `name`. `workers` is how many runs train at once; None lets the engine choose.

    Raises SpecError for an unknown name and for a number of workers that the engine does not support.
    """
    try:
        entry = ENGINES[check_engine(name)]
    except ValueError as error:
        raise SpecError(f"engine: {error}") from None
    if workers is not None and workers < 1:
        raise SpecError(f"workers: {workers} is too few; at least 1 is needed")
    if entry.needs_fork and not hasattr(os, "fork"):
        raise SpecError(f"engine: {name} needs a system that can fork; use inline")
    engine: Engine = pkgutil.resolve_name(entry.path)(workers=workers)
    return engine
