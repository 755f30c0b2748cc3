"""What the loss covers: where the records of a stream begin, and which of its ids are targets."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stacklab.base.files import open_new, regular
from stacklab.data.spec import DataSpec, LossOn, Packing
from stacklab.data.tokenizers.codec import Ids


@dataclass(frozen=True, eq=False)
class Encoded:
    """A record as ids [T], which are the tokenizer's own, and the UTF-8 bytes of its text.

    answers: [T], whether each id is part of an answer, whose text has `answer_bytes`; None where it is not needed.
    """

    ids: Ids
    text_bytes: int
    answers: NDArray[np.bool_] | None = None
    answer_bytes: int = 0


class Cover(NamedTuple):
    """Of the stream [tokens] of a split. A packed stream in which every id is a target has neither.

    starts: [records], ascending: the places of the first ids of records that do not see each other.
    answers: [tokens], 1 where an id is a target.
    """

    starts: NDArray[np.int64] | None = None
    answers: NDArray[np.uint8] | None = None

    def positions(self, places_NT: NDArray[np.int64]) -> NDArray[np.int64] | None:
        """The position of each place in its record, counted from the row's beginning where the record begins earlier.

        None for a stream. places_NT: rows of successive places.
        """
        if self.starts is None:
            return None
        begins_NT = self.starts[np.searchsorted(self.starts, places_NT, "right") - 1]
        return places_NT - np.maximum(begins_NT, places_NT[:, :1])

    def targets(self, places_NT: NDArray[np.int64]) -> NDArray[np.bool_] | None:
        """Whether the id at each place is a target: the first of a record is not, since nothing of it comes before.

        None where all are.
        """
        if self.starts is None and self.answers is None:
            return None
        kept_NT = np.ones(places_NT.shape, dtype=np.bool_)
        if self.starts is not None:
            kept_NT &= self.starts[np.searchsorted(self.starts, places_NT, "right") - 1] != places_NT
        if self.answers is not None:
            kept_NT &= self.answers[places_NT] != 0
        return kept_NT


EVERYTHING = Cover()
"""One stream, of which every id is a target."""


def coverage(data: DataSpec) -> tuple[str, str]:
    """What a position sees, and which tokens are targets; a sentence each."""
    seen = {
        "stream": "A position sees everything before it in its block, other records included.",
        "documents": "A position sees only what comes before it in its own record and block; positions begin "
        "at 0 with each record.",
    }
    targets = {
        ("all", "stream"): "Every token is a target: those of system and user turns, and markers, too.",
        ("all", "documents"): "Every token is a target but the first of each record: those of system and user "
        "turns, and markers, too.",
    }
    answers = "Targets are what assistant turns say and the marker that ends each; prompts are read and not predicted."
    return seen[data.packing], targets.get((data.loss_on, data.packing), answers)


def load_cover(folder: Path, split: str) -> Cover:
    """The cover of a split of prepared data; empty where its settings are the defaults."""
    starts, answers = _starts(folder, split), _answers(folder, split)
    return Cover(
        np.load(regular(starts), allow_pickle=False) if starts.exists() else None,
        np.memmap(regular(answers), dtype=np.uint8, mode="r") if answers.exists() else None,
    )


@dataclass
class CoverWriter:
    """Writes the cover of a split record by record, and counts its targets and the UTF-8 bytes of their text.

    packing, loss_on: as in DataSpec. bytes_of: the bytes of text of one id.
    """

    folder: Path
    split: str
    packing: Packing
    loss_on: LossOn
    bytes_of: Callable[[int], int]
    targets: int = 0
    text_bytes: int = 0
    _starts: list[int] = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        self._answers = open_new(_answers(self.folder, self.split)) if self.loss_on == "answers" else None

    def add(self, item: Encoded, *, start: int) -> None:
        """start: the place of the record's first id in the stream."""
        ids, answers = item.ids, item.answers
        self.targets += len(ids) if answers is None else int(answers.sum())
        self.text_bytes += item.text_bytes if answers is None else item.answer_bytes
        if self.packing == "documents":
            self._starts.append(start)
            if answers is None:
                self.targets -= 1
                self.text_bytes -= self.bytes_of(int(ids[0]))
        if self._answers is not None and answers is not None:
            self._answers.write(answers.astype(np.uint8).tobytes())

    def close(self) -> None:
        if self._answers is not None:
            self._answers.close()
        if self.packing == "documents":
            with open_new(_starts(self.folder, self.split)) as handle:
                np.save(handle, np.array(self._starts, dtype=np.int64))


def _starts(folder: Path, split: str) -> Path:
    return folder / f"{split}.starts.npy"


def _answers(folder: Path, split: str) -> Path:
    return folder / f"{split}.answers.bin"
