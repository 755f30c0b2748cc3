"""Sequences and targets from files: data sets of other programs, with parts for training and validation."""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BeforeValidator, Field

from stacklab.base.errors import DataError
from stacklab.base.spec import Spec, Text
from stacklab.tasks.batch import Ids, TaskBatch, no_targets
from stacklab.tasks.parts.fields import MOST
from stacklab.tasks.parts.guessing import most_frequent
from stacklab.tasks.parts.sequence_file import Sequences, read_sequences, slice_names
from stacklab.tasks.protocol import Layout, Split, periodic, require_split


def _as_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


Paths = Annotated[tuple[Text, ...], BeforeValidator(_as_tuple), Field(min_length=1)]
"""One path, or several whose sequences make up one part."""


class Arrays(Spec):
    """Inputs and targets as files state them; the form of the files is that of `parts.sequence_file`.

    Sequences of several lengths are filled up on the right, where nothing is asked. As an exercise, `train` is the part
    for training and `unseen` that for validation; a run trains on all of the one and is evaluated on all of the other.
    Slices: the files' own, else the length where lengths differ. The files are read again when they have changed.
    """

    kind: Literal["arrays"] = "arrays"
    train: Paths
    validation: Paths
    tuning: Paths | None = None
    ids: int | None = Field(default=None, ge=2, le=MOST)
    """Number of ids. None: one more than the largest in the files."""

    def part(self, name: str) -> TaskBatch:
        """All sequences of `train`, `validation` or `tuning`. Raises DataError for files that cannot be used."""
        if name == "tuning" and self.tuning is None:
            raise DataError("data.task.tuning: settings are chosen on a part of their own; name its files")
        return self._parts[name].padded(self.length, by_length=self.mixed_lengths)

    @property
    def content(self) -> dict[str, str]:
        """A hash of what the files of each part hold."""
        return {name: part.hash for name, part in self._parts.items()}

    @property
    def _parts(self) -> dict[str, Sequences]:
        files = {"train": self.train, "validation": self.validation}
        if self.tuning is not None:
            files["tuning"] = self.tuning
        return {name: _read(paths, self.ids or MOST, _stamps(paths)) for name, paths in files.items()}

    @property
    def mixed_lengths(self) -> bool:
        """Whether the lengths of the sequences differ, so that some are filled up."""
        return any((part.length_N != self.length).any() for part in self._parts.values())

    @property
    def vocab_size(self) -> int:
        largest = max(int(max(part.tokens.max(), part.targets.max())) for part in self._parts.values())
        return self.ids or largest + 1

    @property
    def length(self) -> int:
        return max(int(part.length_N.max()) for part in self._parts.values())

    @property
    def makeup(self) -> str:
        return "positions of the longest sequence"

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(map(str, range(self.vocab_size)))

    @property
    def readout(self) -> Ids:
        answers = np.concatenate([np.unique(part.targets) for part in self._parts.values()])
        return np.unique(answers[answers >= 0])

    @property
    def splits(self) -> tuple[Split, ...]:
        return ("train", "unseen")

    @property
    def layout(self) -> Layout:
        return periodic(self.length, self.length)

    def slices(self) -> Mapping[int, str]:
        return slice_names(list(self._parts.values()))

    def draw(
        self, rng: np.random.Generator, size: int, *, split: Split = "train", step: int | None = None
    ) -> TaskBatch:
        """Sequences of a part in random order, round after round."""
        require_split(self, split)
        whole = self.part("train" if split == "train" else "validation")
        count = len(whole.tokens_BT)
        chosen_B = np.concatenate([rng.permutation(count) for _ in range(-(-size // count))])[:size]
        return TaskBatch(*(array[chosen_B] for array in whole))

    def oracle(self, tokens_BT: Ids) -> Ids:
        """The targets that the files state for the sequence. Raises ValueError for a sequence that they do not hold."""
        known: dict[tuple[int, ...], Ids] = {}
        for name in self._parts:
            whole = self.part(name)
            known |= dict(zip(map(tuple, whole.tokens_BT.tolist()), whole.targets_BT, strict=True))
        targets_BT = no_targets(tokens_BT)
        for row, tokens in enumerate(tokens_BT.tolist()):
            if tuple(tokens) not in known:
                raise ValueError(f"{self.kind}: row {row} is no sequence of the files")
            targets_BT[row] = known[tuple(tokens)]
        return targets_BT

    def baselines(self, batch: TaskBatch) -> dict[str, float]:
        return {"most frequent": most_frequent(batch)}


def _stamps(paths: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    """Time of the last change and size of each file, and of those in each folder."""
    files = [file for path in map(Path, paths) for file in (sorted(path.glob("*.npy")) if path.is_dir() else [path])]
    return tuple((file.stat().st_mtime_ns, file.stat().st_size) for file in files if file.exists())


@functools.lru_cache(maxsize=8)
def _read(paths: tuple[str, ...], ids: int, stamps: tuple[tuple[int, int], ...]) -> Sequences:
    return read_sequences(paths, ids=ids)
