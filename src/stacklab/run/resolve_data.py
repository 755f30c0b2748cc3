"""Data made ready for a plan, text and tasks alike: what is counted and fingerprinted before anything is trained."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stacklab.base.canon import fingerprint
from stacklab.base.errors import SpecError
from stacklab.base.streams import numpy_stream
from stacklab.data.prepare import prepare
from stacklab.data.spec import DataSpec
from stacklab.tasks.batch import TaskBatch
from stacklab.tasks.data import TaskData
from stacklab.tasks.protocol import Split

BASELINE_SEQUENCES = 4096
ROOT = 0  # not the run's seed: what is measured belongs to the task
TASK_FORMAT = 1
"""Raised whenever the same task would draw other sequences."""


@dataclass(frozen=True)
class ResolvedData:
    """metrics: the accuracies that runs on these data will have."""

    fingerprint: str
    vocab_size: int
    facts: dict[str, Any]
    metrics: tuple[str, ...]

    @property
    def guesses(self) -> dict[str, float]:
        """Metric -> the accuracy of the best guess that does not solve the task; empty where there is no task."""
        if "baselines" not in self.facts:
            return {}
        parts = {f"validation.accuracy.{name}": best for name, best in self.facts["slice_baselines"].items()}
        return {"validation.accuracy": max(self.facts["baselines"].values())} | parts


def resolve_data(data: DataSpec | TaskData, *, cache: Path, ask: bool) -> ResolvedData:
    """ask: whether runs will be asked the problems that a corpus holds.

    Raises DataError, TokenizerError and SpecError for what cannot be used.
    """
    if isinstance(data, TaskData):
        facts = task_facts(data)
        return ResolvedData(facts["fingerprint"], data.task.vocab_size, facts, task_metrics(data))
    prepared = prepare(data, cache=cache)
    hops = sorted({problem.hops for problem in prepared.problems if problem.hops is not None})
    known = ("accuracy", *(f"accuracy.hops_{number}" for number in hops)) if ask and prepared.problems else ()
    return ResolvedData(prepared.fingerprint, prepared.vocab_size, dict(prepared.manifest), known)


def task_facts(data: TaskData) -> dict[str, Any]:
    """A task's data in numbers; `baselines` are accuracies of guessing without solving it, on fresh sequences.

    `slice_baselines` has the best for each slice, of guesses that know which slice is asked.
    """
    task = data.task
    drawn = task.draw(numpy_stream(0, "task", "baselines", task.fingerprint), BASELINE_SEQUENCES)
    parts = {name: drawn.of_slice(number) for number, name in task.slices().items() if number in drawn.slice_BT}
    return {
        "fingerprint": fingerprint([TASK_FORMAT, data.dump()]),
        "source": {"kind": "task", "name": task.kind},
        "task": task.dump(),
        "vocab_size": task.vocab_size,
        "length": task.length,
        "splits_of_symbols": list(task.splits),
        "baselines": task.baselines(drawn),
        "slice_baselines": {name: max(task.baselines(part).values()) for name, part in parts.items()},
    }


def fixed_set(data: TaskData, name: str) -> TaskBatch:
    """The sequences of `train_probe`, `validation` or `tuning`, the same for every run over the task.

    Raises SpecError when nothing in them is scored.
    """
    split: Split = "unseen" if name != "train_probe" and "unseen" in data.task.splits else "train"
    drawn = data.task.draw(numpy_stream(ROOT, "task", name, data.task.fingerprint), data.probe, split=split)
    if not drawn.scored_BT.any():
        raise SpecError(f"data.probe = {data.probe}: nothing is scored in so many sequences of {name}; take more")
    return drawn


def slices_of(data: TaskData, drawn: TaskBatch) -> dict[int, str]:
    """The slices that a set is told apart by: those it holds, if they are several."""
    present = {number: name for number, name in data.task.slices().items() if (drawn.slice_BT == number).any()}
    return present if len(present) > 1 else {}


def task_metrics(data: TaskData) -> tuple[str, ...]:
    names = []
    for split in ("train_probe", "validation"):
        parts = slices_of(data, fixed_set(data, split)).values()
        names += [f"{split}.accuracy", *(f"{split}.accuracy.{part}" for part in parts)]
    return tuple(names)
