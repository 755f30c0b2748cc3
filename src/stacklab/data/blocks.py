"""A split as one stream of ids on disk, and the training sequences cut from it."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stacklab.base.files import open_new, open_regular
from stacklab.data.cover import EVERYTHING, Cover, CoverWriter, Encoded
from stacklab.data.sources.token_file import token_dtype
from stacklab.data.tokenizers.codec import Compact

CHUNK = 2**20


@dataclass(frozen=True, eq=False)
class Blocks:
    """Block k of `stream` [tokens] is stream[k*S : k*S+T+1]: T ids to read and, shifted by one, T ids to predict.

    T = block_size. S = stride; None: T, so that every id but the first is predicted once.
    """

    stream: np.ndarray
    block_size: int
    bytes_per_token: float
    """UTF-8 bytes of text per target of the whole split."""
    cover: Cover = EVERYTHING
    stride: int | None = None

    @property
    def step(self) -> int:
        """The distance between the beginnings of two blocks."""
        return self.block_size if self.stride is None else self.stride

    @property
    def num_blocks(self) -> int:
        return (len(self.stream) - 1 - self.block_size) // self.step + 1

    def get(self, indices: np.ndarray) -> NDArray[np.int64]:
        """Tokens [len(indices), block_size + 1]. Raises IndexError outside 0 .. num_blocks - 1."""
        return np.asarray(self.stream[self._places(indices)], dtype=np.int64)

    def positions(self, indices: np.ndarray) -> NDArray[np.int64] | None:
        """Positions [len(indices), block_size] of the ids to read, in records that do not see each other; None in one
        stream."""
        return self.cover.positions(self._places(indices)[:, :-1])

    def targets(self, indices: np.ndarray) -> NDArray[np.bool_] | None:
        """Which ids [len(indices), block_size] are to be predicted; None for all."""
        return self.cover.targets(self._places(indices)[:, 1:])

    def target_ids(self, begin: int, end: int) -> np.ndarray:
        """The ids of the stream from `begin` to `end` that are targets."""
        kept = self.cover.targets(np.arange(begin, end)[None])
        return self.stream[begin:end] if kept is None else self.stream[begin:end][kept[0]]

    def _places(self, indices: np.ndarray) -> NDArray[np.int64]:
        indices = np.asarray(indices, dtype=np.int64)
        if indices.size and (indices.min() < 0 or indices.max() >= self.num_blocks):
            raise IndexError(f"blocks {indices.min()} to {indices.max()} requested, there are {self.num_blocks}")
        return indices[:, None] * self.step + np.arange(self.block_size + 1)


@dataclass
class SplitWriter:
    """Appends records to a file of ids below `vocab_size`, and counts them."""

    path: Path
    vocab_size: int
    cover: CoverWriter | None = None
    """What the loss covers, where that is not all of the stream."""
    records: int = 0
    tokens: int = 0
    text_bytes: int = 0
    counts: NDArray[np.int64] = field(init=False)
    """[vocab_size], how often each id occurs."""

    def __post_init__(self) -> None:
        self.counts = np.zeros(self.vocab_size, dtype=np.int64)
        self._handle = open_new(self.path)

    def add(self, item: Encoded) -> None:
        ids = item.ids
        if self.cover is not None:
            self.cover.add(item, start=self.tokens)
        np.add.at(self.counts, ids, 1)
        self._handle.write(ids.astype(token_dtype(self.vocab_size)).tobytes())
        self.records += 1
        self.tokens += len(ids)
        self.text_bytes += item.text_bytes

    def close(self) -> None:
        if self.cover is not None:
            self.cover.close()
        self._handle.close()

    def renumber(self, compact: Compact) -> None:
        """Rewrite the closed file with compact ids."""
        old, new = token_dtype(self.vocab_size), token_dtype(compact.unknown_id + 1)
        renumbered = self.path.with_suffix(".compact")
        with open_regular(self.path) as source, open_new(renumbered) as target:
            while data := source.read(CHUNK * old.itemsize):
                target.write(compact.from_full(np.frombuffer(data, dtype=old)).astype(new).tobytes())
        renumbered.replace(self.path)
