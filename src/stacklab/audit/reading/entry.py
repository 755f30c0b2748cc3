"""One entry of a log: where in training it stands, and its losses. `build` makes logs of the entries of any format."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from stacklab.audit.reading.log import Log, Metric
from stacklab.audit.reading.number import Number

Counter = Literal["step", "iter", "batch", "token", "sample", "epoch"]
COUNTERS: tuple[Counter, ...] = ("step", "iter", "batch", "token", "sample", "epoch")
"""step: of the optimiser; iter and batch: in some programs the same, in others micro-batches. The first that a log has
is its unit."""


class Count(NamedTuple):
    """A counter's value, whole for all but epochs, its planned last value, and its printed decimals."""

    value: float
    total: int | None = None
    decimals: int = 0


@dataclass(frozen=True, kw_only=True)
class Entry:
    """absent: losses that are named without a value (`val: n/a`). refused: a number that cannot be read whole.

    An entry without counters stands where the one before it stands. One without losses says where training is.
    """

    counters: Mapping[Counter, Count] = field(default_factory=dict)
    losses: Mapping[Metric, Number] = field(default_factory=dict)
    absent: frozenset[Metric] = frozenset()
    refused: str = ""
    run: str = ""
    seed: str = ""


class Row(NamedTuple):
    """An entry and its place. text: the line it was read from; empty for forms that cannot break off within a line."""

    line: int
    entry: Entry
    text: str = ""


@dataclass(frozen=True)
class Document:
    """A whole text file. name: of the file; stem: the name without its extension, for logs that have no other."""

    text: str
    name: str
    stem: str


@dataclass(frozen=True, kw_only=True)
class Format:
    """How one program prints its logs. One of `line` and `document` is set.

    program: for messages. line: the entry of a line, None for lines of other kinds; it must not raise.
    document: the logs of a whole file, None for other files; raises DataError naming file and place.
    """

    program: str
    line: Callable[[str], Entry | None] | None = None
    document: Callable[[Document], Sequence[Log] | None] | None = None
