"""The engines by name. A new engine is a file in this folder and an entry in ENGINES.

Names and summaries are read for help texts, so nothing is imported until an engine is made.
"""

import os
import pkgutil
from typing import NamedTuple

from stacklab.base.errors import SpecError
from stacklab.study.engines.protocol import Engine


class EngineEntry(NamedTuple):
    """path: dotted path of the class, which is called with `workers`; one that deals runs to cards also with
    `runs_per_gpu`, `gpus_per_run` and `on_cards`. spreads_runs: trains one run on several cards. summary: for the help
    text."""

    path: str
    summary: str
    needs_fork: bool = True
    deals_cards: bool = False
    spreads_runs: bool = False


ENGINES = {
    "processes": EngineEntry(
        "stacklab.study.engines.processes:ProcessesEngine",
        "one process per run, several runs at the same time",
        deals_cards=True,
        spreads_runs=True,
    ),
    "replicas": EngineEntry(
        "stacklab.study.engines.processes:ReplicasEngine",
        "the same, but runs of equal shape share a process: on a CPU small ones over tasks, on a GPU any",
        deals_cards=True,
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


def make_engine(
    name: str,
    *,
    workers: int | None = None,
    runs_per_gpu: int = 1,
    gpus_per_run: int = 1,
    on_cards: bool = True,
) -> Engine:
    """The engine called `name`. workers: the most runs that train at once; None lets the engine choose. runs_per_gpu:
    the most on each card. gpus_per_run: the cards of each run. on_cards: whether the runs train on cards, where there
    are any.

    Raises SpecError for an unknown name and for numbers that the engine or the machine does not support.
    """
    try:
        entry = ENGINES[check_engine(name)]
    except ValueError as error:
        raise SpecError(f"engine: {error}") from None
    if workers is not None and workers < 1:
        raise SpecError(f"workers: {workers} is too few; at least 1 is needed")
    if runs_per_gpu < 1:
        raise SpecError(f"runs-per-gpu: {runs_per_gpu} is too few; at least 1 is needed")
    if gpus_per_run < 1:
        raise SpecError(f"gpus-per-run: {gpus_per_run} is too few; at least 1 is needed")
    if runs_per_gpu > 1 and not entry.deals_cards:
        raise SpecError(f"runs-per-gpu: the {name} engine does not train {runs_per_gpu} runs on a GPU; use processes")
    if gpus_per_run > 1 and not entry.spreads_runs:
        raise SpecError(f"gpus-per-run: the {name} engine does not train a run on {gpus_per_run} GPUs; use processes")
    if gpus_per_run > 1 and runs_per_gpu > 1:
        raise SpecError(
            f"gpus-per-run: {gpus_per_run} GPUs for each run leave no GPU for {runs_per_gpu} runs (--runs-per-gpu); "
            "choose one of them"
        )
    if entry.needs_fork and not hasattr(os, "fork"):
        raise SpecError(f"engine: {name} needs a system that can fork; use inline")
    dealt = {"runs_per_gpu": runs_per_gpu, "gpus_per_run": gpus_per_run, "on_cards": on_cards}
    of_cards = dealt if entry.deals_cards else {}
    engine: Engine = pkgutil.resolve_name(entry.path)(workers=workers, **of_cards)
    return engine
