"""Hand-written weights: a residual stream of named subspaces, and heads that read and write them. No torch.

A subspace is a range of coordinates of the residual stream, so different ones are orthogonal. A head states which
subspaces its queries and keys read, and what it moves from one to another; `compile.py` makes an ordinary model of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stacklab.base.errors import SpecError
from stacklab.tasks.batch import Ids
from stacklab.tasks.protocol import Exercise

Floats = NDArray[np.float64]
Tables = Mapping[str, Floats]
"""Subspace -> the content of each id (or position, slot, group) in it [rows, width]."""


class Residual:
    """Named subspaces, in order.

    >>> residual = Residual(token=3, one=1)
    >>> residual.width, residual.index("one").tolist(), residual.index("one", "token").tolist()
    (4, [3], [3, 0, 1, 2])
    """

    def __init__(self, **widths: int) -> None:
        ends = np.cumsum(list(widths.values()))
        self.width = int(ends[-1])
        self._index = {name: np.arange(end - size, end) for (name, size), end in zip(widths.items(), ends, strict=True)}

    def index(self, *names: str) -> Ids:
        """The coordinates of these subspaces, one after the other."""
        return np.concatenate([self._index[name] for name in names])


@dataclass(frozen=True)
class Term:
    """A part of a score: weight x <content of the query in `query`, form applied to the content of the key in `key`>.

    form: [width of query, width of key]; None is the identity.
    """

    query: tuple[str, ...]
    key: tuple[str, ...]
    weight: float
    form: Floats | None = None


@dataclass(frozen=True)
class Move:
    """A head adds to `target`: `write` applied to `read` applied to the content of `source`.

    read: [R, width of source]; write: [width of target, R]. R coordinates pass through the head.
    """

    source: str
    target: str
    read: Floats
    write: Floats

    def part(self, start: int, step: int) -> "Move":
        """Every `step`-th coordinate of the move, from `start` on."""
        return replace(self, read=self.read[start::step], write=self.write[:, start::step])


def move(source: str, target: str, form: Floats) -> Move:
    """Add form^T times the content of `source` to `target`; form is [width of source, width of target]."""
    rows, columns = form.shape
    if rows <= columns:
        return Move(source, target, np.eye(rows), form.T.copy())
    return Move(source, target, form.T.copy(), np.eye(columns))


def copy(source: str, target: str, width: int) -> Move:
    """Move `source` to `target` unchanged."""
    return move(source, target, np.eye(width))


@dataclass(frozen=True)
class Head:
    """One head: its scores and its moves. says: a description of both."""

    says: str
    terms: tuple[Term, ...]
    moves: tuple[Move, ...]


@dataclass(frozen=True)
class Layer:
    """One layer of attention and the operation it carries out."""

    operation: str
    heads: tuple[Head, ...]


@dataclass(frozen=True)
class Blueprint:
    """A complete construction, before it is compiled into a model.

    positions: rows by position, or by slot where there is a `period`. groups: rows by group, as wide as `positions`.
    readout: the head's row of each id, by subspace; an id of zeros has the logit 0.
    sharpness: factor of the deciding scores, whose gaps each construction states.
    """

    exercise: Exercise
    residual: Residual
    tokens: Tables
    positions: Tables
    layers: tuple[Layer, ...]
    readout: Tables
    sharpness: float
    period: int | None = None
    groups: Tables | None = None


def codes(count: int) -> Floats:
    """[count, bits] a row of -1 and 1 for each number: equal rows have the product `bits`, others at most bits - 2.

    >>> codes(3).tolist()
    [[-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0]]
    """
    bits = max(1, (count - 1).bit_length())
    ones = np.arange(count)[:, None] >> np.arange(bits) & 1
    return 2 * ones.astype(np.float64) - 1


def shared(layers: tuple[Layer, ...], heads: int | None) -> tuple[Layer, ...]:
    """Each head split into `heads` heads (None: one) with equal scores, each of which moves a part of the coordinates.

    Raises SpecError where there are fewer coordinates than heads.
    """
    if heads is None or heads == 1:
        return layers
    return tuple(
        replace(layer, heads=tuple(part for head in layer.heads for part in _parts(head, heads))) for layer in layers
    )


def _parts(head: Head, count: int) -> list[Head]:
    moved = sum(len(each.read) for each in head.moves)
    if moved < count:
        raise SpecError(f"--heads {count}: a layer moves {moved} coordinates, too few for {count} heads")
    return [
        replace(
            head,
            says=f"{head.says} (coordinates {index + 1}, {index + 1 + count}, ... of the moved content)",
            moves=tuple(each.part(index, count) for each in head.moves),
        )
        for index in range(count)
    ]
