"""Resolves the data of a plan, text or task: prepares, counts and fingerprints them before any training."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stacklab.base import units
from stacklab.base.canon import fingerprint
from stacklab.base.errors import DataError, SpecError
from stacklab.base.hardware import beyond_memory
from stacklab.base.streams import numpy_stream
from stacklab.data.prepare import prepare
from stacklab.data.spec import DataSpec
from stacklab.tasks.arrays import Arrays
from stacklab.tasks.batch import TaskBatch
from stacklab.tasks.data import TaskData
from stacklab.tasks.protocol import Split

BASELINE_SEQUENCES = 4096
ROOT = 0
"""Root seed of the fixed sets. It is not the run's seed: fixed sets belong to the task."""
POSITION_BYTES = 32
"""Of a position of a set: three numbers of 64 bits, and what is computed from them."""
MOST_READ = 10**11
"""Numbers read for the baselines of all slices, each of which reads every sequence: some minutes."""
DRAWN_AT_ONCE = 4096
"""Sequences of a fixed training set that are drawn from one stream, so that a smaller set begins a larger one."""
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
        """Metric -> the best accuracy of guessing without solving the task; empty where there is no task."""
        if "baselines" not in self.facts:
            return {}
        parts = {f"validation.accuracy.{name}": best for name, best in self.facts["slice_baselines"].items()}
        return {"validation.accuracy": max(self.facts["baselines"].values())} | parts


def resolve_data(data: DataSpec | TaskData, *, cache: Path, ask: bool) -> ResolvedData:
    """Prepare the data of a run. ask: whether runs answer the corpus's held-out problems, which adds their metrics.

    Raises DataError, TokenizerError and SpecError for data that cannot be used.
    """
    if isinstance(data, TaskData):
        facts = task_facts(data)
        return ResolvedData(facts["fingerprint"], data.task.vocab_size, facts, task_metrics(data))
    prepared = prepare(data, cache=cache)
    hops = sorted({problem.hops for problem in prepared.problems if problem.hops is not None})
    known = ("accuracy", *(f"accuracy.hops_{number}" for number in hops)) if ask and prepared.problems else ()
    return ResolvedData(prepared.fingerprint, prepared.vocab_size, dict(prepared.manifest), known)


def task_facts(data: TaskData) -> dict[str, Any]:
    """A task's data in numbers; `baselines` are accuracies of guessing without solving it, on fresh sequences or those
    of the files.

    `slice_baselines`: the best baseline of each slice, over guesses that know the slice. Raises SpecError for sets that
    this machine cannot hold.
    """
    task = data.task
    if isinstance(task, Arrays):
        drawn = task.part("validation")
    else:
        _check_size(data)
        drawn = task.draw(numpy_stream(0, "task", "baselines", task.fingerprint), BASELINE_SEQUENCES)
    parts = {name: drawn.of_slice(number) for number, name in task.slices().items() if number in drawn.slice_BT}
    training = training_set(data)
    return {
        "fingerprint": task_fingerprint(data),
        "source": {"kind": "task", "name": task.kind},
        "task": task.dump(),
        "vocab_size": task.vocab_size,
        "length": task.length,
        "splits_of_symbols": list(task.splits),
        "baselines": task.baselines(drawn),
        "slice_baselines": {name: max(task.baselines(part).values()) for name, part in parts.items()},
        **({} if training is None else _training_facts(training, fixed_set(data, "validation"))),
    }


def _check_size(data: TaskData) -> None:
    """Raises SpecError for sets of sequences that this machine cannot hold, and for more slices than can be evaluated
    one by one; before any is drawn."""
    task, sizes = data.task, {"the baselines": BASELINE_SEQUENCES, "data.probe": data.probe}
    sizes["data.train_sequences"] = data.train_sequences or 0
    name, most = max(sizes.items(), key=lambda size: size[1])
    if needs := beyond_memory(most * task.length * POSITION_BYTES):
        raise SpecError(
            f"data.task: {most:,} sequences of {name} x {task.length:,} positions ({task.makeup}) x {POSITION_BYTES} "
            f"bytes are {needs}"
        )
    slices = len(task.slices())
    if (read := slices * BASELINE_SEQUENCES * task.length) > MOST_READ:
        raise SpecError(
            f"data.task: {slices:,} slices x {BASELINE_SEQUENCES:,} sequences of the baselines x {task.length:,} "
            f"positions ({task.makeup}) = {units.count(read)} numbers to read, at most {units.count(MOST_READ)}"
        )


def task_fingerprint(data: TaskData) -> str:
    """Of the settings, and of the content of the files of a task of kind `arrays`."""
    content = [data.task.content] if isinstance(data.task, Arrays) else []
    return fingerprint([TASK_FORMAT, data.dump(), *content])


def _training_facts(training: TaskBatch, validation: TaskBatch) -> dict[str, Any]:
    """The size of an epoch, and the share of the validation sequences that training shows as well."""
    shown = {row.tobytes() for row in training.tokens_BT}
    seen = sum(row.tobytes() in shown for row in validation.tokens_BT) / len(validation.tokens_BT)
    warning = f"{seen:.1%} of the validation sequences are among the training sequences"
    return {
        "splits": {
            "train": {"sequences": len(training.tokens_BT), "tokens_per_epoch": training.tokens_BT.size},
            "validation": {"sequences": len(validation.tokens_BT)},
        },
        "validation_seen_in_training": seen,
        "warnings": [warning] if seen else [],
    }


def training_set(data: TaskData) -> TaskBatch | None:
    """The fixed training set, the same for every run over the data; None where every step draws fresh sequences.

    Raises DataError when the files of a task of kind `arrays` hold fewer sequences than stated.
    """
    count = data.train_sequences
    if isinstance(data.task, Arrays):
        whole = data.task.part("train")
        present = len(whole.tokens_BT)
        if count is not None and count > present:
            raise DataError(f"data.train_sequences = {count}: {', '.join(data.task.train)} hold {present}; lower it")
        if count is None:
            return whole
        order = numpy_stream(ROOT, "task", "training set", data.task.fingerprint).permutation(present)
        return TaskBatch(*(array[np.sort(order[:count])] for array in whole))
    if count is None:
        return None
    drawn = [
        # With a step, tasks draw what training predicts.
        data.task.draw(numpy_stream(ROOT, "task", "training set", data.task.fingerprint, number), DRAWN_AT_ONCE, step=0)
        for number in range(-(-count // DRAWN_AT_ONCE))
    ]
    return TaskBatch(*(np.concatenate(arrays)[:count] for arrays in zip(*drawn, strict=True)))


def fixed_set(data: TaskData, name: str) -> TaskBatch:
    """The sequences of `train_probe`, `validation` or `tuning`, the same for every run over the task.

    Raises SpecError when none of their positions is scored.
    """
    training = training_set(data) if name == "train_probe" else None
    if training is not None:
        order = numpy_stream(ROOT, "task", name, data.task.fingerprint).permutation(len(training.tokens_BT))
        return _scored(data, name, TaskBatch(*(array[np.sort(order[: data.probe])] for array in training)))
    if isinstance(data.task, Arrays):
        return data.task.part(name)
    split: Split = "unseen" if name != "train_probe" and "unseen" in data.task.splits else "train"
    drawn = data.task.draw(numpy_stream(ROOT, "task", name, data.task.fingerprint), data.probe, split=split)
    return _scored(data, name, drawn)


def _scored(data: TaskData, name: str, drawn: TaskBatch) -> TaskBatch:
    if not drawn.scored_BT.any():
        raise SpecError(f"data.probe = {data.probe}: no position of these sequences of {name} is scored; increase it")
    return drawn


def slices_of(data: TaskData, drawn: TaskBatch) -> dict[int, str]:
    """The slices by which a set is split: those that it contains, if there are at least two."""
    present = {number: name for number, name in data.task.slices().items() if (drawn.slice_BT == number).any()}
    return present if len(present) > 1 else {}


def task_metrics(data: TaskData) -> tuple[str, ...]:
    """The names of the accuracies of runs over a task."""
    names = []
    for split in ("train_probe", "validation"):
        parts = slices_of(data, fixed_set(data, split)).values()
        names += [f"{split}.accuracy", *(f"{split}.accuracy.{part}" for part in parts)]
    return tuple(names)
