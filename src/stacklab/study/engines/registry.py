"""Engines by name."""

import os
from typing import Literal, get_args

from stacklab.base.errors import SpecError
from stacklab.study.engines.inline import InlineEngine
from stacklab.study.engines.machine import default_workers
from stacklab.study.engines.processes import ProcessesEngine
from stacklab.study.engines.protocol import Engine
from stacklab.study.engines.replicas import ReplicasEngine

EngineName = Literal["inline", "processes", "replicas"]
ENGINES: tuple[str, ...] = get_args(EngineName)


def worker_count(workers: int | None, *, runs: int) -> int:
    """How many of `runs` an engine with workers trains at once when it is given `workers`."""
    return workers or default_workers(runs)


def make_engine(name: str, *, workers: int | None = None) -> Engine:
    """The engine called `name`. `workers` is how many runs train at once; None lets the engine choose.

    Raises SpecError for an unknown name and for a number of workers that the engine cannot have.
    """
    if name not in ENGINES:
        raise SpecError(f"engine: {name!r} is not an engine; choose one of {', '.join(ENGINES)}")
    if workers is not None and workers < 1:
        raise SpecError(f"workers: {workers} is too few; at least 1 is needed")
    if name == "inline":
        if workers not in (None, 1):
            raise SpecError(f"workers: the inline engine trains one run at a time, not {workers}; use processes")
        return InlineEngine()
    if not hasattr(os, "fork"):
        raise SpecError(f"engine: {name} needs a system that can fork; use inline")
    return ReplicasEngine(workers=workers) if name == "replicas" else ProcessesEngine(workers=workers)
