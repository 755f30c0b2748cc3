"""Parsing in one layer: every symbol attends to its occurrences in its own segment and stores their slots."""

from typing import Literal

import numpy as np
from pydantic import Field

from stacklab.base.spec import Spec
from stacklab.interp.construct.blueprint import Blueprint, Floats, Head, Layer, Residual, Term, codes, copy, shared
from stacklab.interp.construct.patterns import nearest
from stacklab.tasks.batch import Ids, TaskBatch
from stacklab.tasks.parts.fields import MOST
from stacklab.tasks.parts.show import letters
from stacklab.tasks.protocol import TRAIN_ONLY, Layout, Split, periodic, require_split


class Parsing(Spec):
    """Segments of random symbols: at which slots of its segment has a symbol occurred so far, this one included?

    Every position has a target. The answer 1+3 names slots 1 and 3. Symbols recur in other segments, which must not
    count.
    """

    kind: Literal["parsing"] = "parsing"
    symbols: int = Field(default=4, ge=2, le=MOST)
    segments: int = Field(default=3, ge=1, le=MOST)
    segment_length: int = Field(default=4, ge=2, le=8)

    @property
    def vocab_size(self) -> int:
        return self.symbols + (1 << self.segment_length) - 1

    @property
    def length(self) -> int:
        return self.segments * self.segment_length

    @property
    def names(self) -> tuple[str, ...]:
        sets = ("+".join(str(slot + 1) for slot in np.flatnonzero(row)) for row in self.sets)
        return (*letters(self.symbols), *sets)

    @property
    def sets(self) -> Floats:
        """[2^k - 1, k] the non-empty sets of slots; set n is the id `symbols` + n."""
        numbers = np.arange(1, 1 << self.segment_length)
        return (numbers[:, None] >> np.arange(self.segment_length) & 1).astype(float)

    @property
    def splits(self) -> tuple[Split, ...]:
        return TRAIN_ONLY

    @property
    def layout(self) -> Layout:
        return periodic(self.length, self.segment_length)

    def draw(
        self, rng: np.random.Generator, size: int, *, split: Split = "train", step: int | None = None
    ) -> TaskBatch:
        require_split(self, split)
        tokens_BT = rng.integers(self.symbols, size=(size, self.length))
        slot_T, group_T = self.layout
        seen_TT = np.tril(group_T[:, None] == group_T)
        same_BTT = (tokens_BT[:, :, None] == tokens_BT[:, None, :]) & seen_TT
        return TaskBatch(tokens_BT, self.symbols - 1 + same_BTT @ (1 << slot_T), np.zeros_like(tokens_BT))

    def oracle(self, tokens_BT: Ids) -> Ids:
        name = {text: number for number, text in enumerate(self.names)}
        return np.array([[name[self._slots(row, at)] for at in range(len(row))] for row in tokens_BT.tolist()])

    def _slots(self, row: list[int], at: int) -> str:
        start = at - at % self.segment_length
        return "+".join(str(place - start + 1) for place in range(start, at + 1) if row[place] == row[at])


def parsing(task: Parsing, *, sharpness: float, heads: int | None) -> Blueprint:
    """Scores compare symbols and segments and differ by at least 2, times the sharpness."""
    ids, segments, sets = codes(task.vocab_size), codes(task.segments), task.sets
    head = Head(
        "every symbol attends to its occurrences in its own segment, up to itself, and stores their slots",
        (Term(("token",), ("token",), sharpness), Term(("segment",), ("segment",), sharpness)),
        (copy("slot", "parsed", task.segment_length),),
    )
    points, shift = nearest(sets / sets.sum(axis=1, keepdims=True))
    below = np.zeros((task.symbols, task.segment_length)), np.zeros((task.symbols, 1))
    return Blueprint(
        exercise=task,
        residual=Residual(
            token=ids.shape[1], one=1, segment=segments.shape[1], slot=task.segment_length, parsed=task.segment_length
        ),
        tokens={"token": ids},
        positions={"slot": np.eye(task.segment_length), "one": np.ones((task.segment_length, 1))},
        groups={"segment": segments},
        period=task.segment_length,
        layers=shared((Layer("parsing", (head,)),), heads),
        readout={"parsed": np.vstack((below[0], points)), "one": np.vstack((below[1], shift))},
        sharpness=sharpness,
    )
