"""Mapping in one layer: positions hold a table, in which every token looks up its entry."""

from typing import Literal

import numpy as np
from pydantic import Field

from stacklab.base.spec import Spec
from stacklab.base.streams import numpy_stream
from stacklab.interp.construct.blueprint import Blueprint, Head, Layer, Residual, Term, codes, copy, shared
from stacklab.tasks.batch import IGNORE, Ids, TaskBatch, no_targets
from stacklab.tasks.parts.fields import MOST
from stacklab.tasks.parts.show import letters, numbered
from stacklab.tasks.protocol import TRAIN_ONLY, Layout, Split, periodic, require_split


class Mapping(Spec):
    """An arbitrary function from symbols to classes, fixed by `table_seed`: what is the class of each symbol?

    The second half has targets; the positions of the first half are the memory, whatever their tokens. Symbols
    are codes of -1 and 1, on which an arbitrary function is not linear, so that a readout needs the layer.
    """

    kind: Literal["mapping"] = "mapping"
    symbols: int = Field(default=16, ge=2, le=MOST)
    classes: int = Field(default=4, ge=2, le=MOST)
    table_seed: int = 0

    @property
    def vocab_size(self) -> int:
        return self.symbols + self.classes

    @property
    def length(self) -> int:
        return 2 * self.symbols

    @property
    def names(self) -> tuple[str, ...]:
        return letters(self.symbols) + numbered("c", self.classes)

    @property
    def splits(self) -> tuple[Split, ...]:
        return TRAIN_ONLY

    @property
    def layout(self) -> Layout:
        return periodic(self.length, self.symbols)

    @property
    def table(self) -> Ids:
        """[symbols] the number of each symbol's class."""
        return numpy_stream(self.table_seed, "construct", "mapping").integers(self.classes, size=self.symbols)

    def draw(
        self, rng: np.random.Generator, size: int, *, split: Split = "train", step: int | None = None
    ) -> TaskBatch:
        require_split(self, split)
        tokens_BT = rng.integers(self.symbols, size=(size, self.length))
        targets_BT, slice_BT = no_targets(tokens_BT), no_targets(tokens_BT)
        targets_BT[:, self.symbols :] = self.symbols + self.table[tokens_BT[:, self.symbols :]]
        slice_BT[:, self.symbols :] = 0
        return TaskBatch(tokens_BT, targets_BT, slice_BT)

    def oracle(self, tokens_BT: Ids) -> Ids:
        known = dict(enumerate((self.symbols + self.table).tolist()))
        no_target = [IGNORE] * self.symbols
        return np.array([no_target + [known[token] for token in row[self.symbols :]] for row in tokens_BT.tolist()])


def mapping(task: Mapping, *, sharpness: float, heads: int | None) -> Blueprint:
    """Scores compare a token with the entries of the table and differ by at least 2, times the sharpness."""
    ids, entries = codes(task.vocab_size), codes(task.symbols)
    bits = entries.shape[1]
    head = Head(
        "every token attends to the position that holds its table entry and copies its class",
        (Term(("token",), ("entry",), sharpness), Term(("one",), ("is_entry",), sharpness)),
        (copy("value", "result", task.classes),),
    )
    half = np.zeros((task.symbols, 1))
    return Blueprint(
        exercise=task,
        residual=Residual(token=bits, one=1, entry=bits, is_entry=1, value=task.classes, result=task.classes),
        tokens={"token": np.vstack((entries, np.zeros((len(ids) - task.symbols, bits))))},
        positions={
            "one": np.ones((task.length, 1)),
            "entry": np.vstack((entries, np.zeros_like(entries))),
            "is_entry": np.vstack((half + 1, half - 1)),
            "value": np.eye(task.classes)[task.table],
        },
        layers=shared((Layer("mapping", (head,)),), heads),
        readout={"result": np.vstack((np.zeros((task.symbols, task.classes)), np.eye(task.classes)))},
        sharpness=sharpness,
    )
