"""Rows of one run -> one log: one unit for all of them, repeated validation values counted once, broken lines apart."""

import re
from bisect import bisect_right
from collections import Counter as Tally
from collections.abc import Sequence
from itertools import pairwise

from stacklab.audit.reading.entry import Row
from stacklab.audit.reading.log import Log, LogBuilder, Metric, Trouble
from stacklab.audit.reading.number import NUMERAL, Number
from stacklab.audit.reading.places import place_rows, unit_counter

CARRIED_DECIMALS = 3
"""Equal neighbours are common where fewer decimals are printed."""

FEW = 4
NEAR = 20
VALUE = re.compile(rf"(?:{NUMERAL}\.?|\b(?:nan|inf(?:inity)?|n/a|none|null)\b)", re.IGNORECASE)
LAST = re.compile(rf"({NUMERAL})\.?\s*$", re.IGNORECASE)


def build_log(
    rows: Sequence[Row], *, name: str, source: str, arm: str = "", cut: bool = False, troubles: Sequence[Trouble] = ()
) -> Log:
    """The log of the rows of one run, in the order of the file. cut: the text ends within or right after the last."""
    builder = LogBuilder(name=name, arm=arm, source=source, troubles=list(troubles))
    refused = [row for row in rows if row.entry.refused]
    builder.troubles += [
        Trouble("log-unread", row.line, None, f"{row.entry.refused!r} cannot be read as one number") for row in refused
    ]
    kept = _unbroken([row for row in rows if not row.entry.refused], builder, cut=cut)
    carried, before = _carried(kept), dict[Metric, Number]()
    for row, place, losses in place_rows(kept, builder):
        for metric, number in losses.items():
            if metric in carried and metric in before and _same(number, before[metric]):
                builder.troubles.append(Trouble("log-carried", row.line, place, "the last evaluation, printed again"))
                continue
            before[metric] = number
            builder.add(metric, place, number, line=row.line, within={"step", "iter"} <= row.entry.counters.keys())
    return builder.build()


def skeleton(text: str) -> str:
    """A line with every number as #, so that lines of one kind are equal."""
    return " ".join(VALUE.sub("#", text).split())


def _unbroken(rows: Sequence[Row], builder: LogBuilder, *, cut: bool) -> list[Row]:
    """The rows with losses. One that is the beginning of a kind of line that others complete has broken off: as the
    last one it is left out, elsewhere it counts with what it has. Kinds that come again are kinds of their own."""
    kinds = [skeleton(row.text) for row in rows]
    tally, order = Tally(kinds), sorted(set(kinds))
    counter = unit_counter(rows)
    kept = []
    for index, row in enumerate(rows):
        last = index == len(rows) - 1
        if index and row.text and counter in row.entry.counters:
            enough = 1 if cut and last else 2
            if (tally[kinds[index]] == 1 and _completed(kinds[index], order, tally, enough)) or (
                cut and last and _digits_missing(row, kinds, rows)
            ):
                what = "the line breaks off and is left out" if last else "the line lacks losses that others have"
                step = int(row.entry.counters[counter].value) if counter else None
                builder.troubles.append(Trouble("log-truncated" if last else "log-damaged", row.line, step, what))
                if last:
                    continue
        if row.entry.losses or row.entry.absent:
            kept.append(row)
    return kept


def _completed(kind: str, order: Sequence[str], tally: Tally[str], enough: int) -> bool:
    """Whether other lines begin alike and go on. What begins with `kind` follows it in the sorted order."""
    after = bisect_right(order, kind)
    return any(other.startswith(kind) and tally[other] >= enough for other in order[after : after + NEAR])


def _digits_missing(row: Row, kinds: Sequence[str], rows: Sequence[Row]) -> bool:
    """Whether the number at the end of the text has fewer decimals than that of any other line of its kind."""
    ends = [LAST.search(other.text) for other, kind in zip(rows, kinds, strict=True) if kind == kinds[-1]]
    *others, own = [len(end[1].partition(".")[2]) for end in ends if end is not None] or [0]
    return bool(others) and own < min(others) and LAST.search(row.text) is not None


def _carried(rows: Sequence[Row]) -> frozenset[Metric]:
    """Validation measures that lines of training repeat until the next evaluation: such lines begin without a value
    (n/a), or at least half of the values equal the one before while the training loss moves."""
    carried = set()
    for metric in {metric for row in rows for metric in row.entry.losses if metric.startswith("validation")}:
        both = [row.entry.losses for row in rows if metric in row.entry.losses and len(row.entry.losses) > 1]
        repeats = sum(_same(a[metric], b[metric]) and a != b for a, b in pairwise(both))
        fine = all((losses[metric].decimals or CARRIED_DECIMALS) >= CARRIED_DECIMALS for losses in both)
        if any(metric in row.entry.absent for row in rows) or (
            fine and len(both) >= FEW and 2 * repeats >= len(both) - 1
        ):
            carried.add(metric)
    return frozenset(carried)


def _same(number: Number, other: Number) -> bool:
    """Whether two numbers are one, perhaps printed with different digits."""
    decimals = [each.decimals for each in (number, other) if each.decimals is not None]
    if len(set(decimals)) < 2:
        return number.value == other.value
    return abs(number.value - other.value) <= 0.5 * 10.0 ** -min(decimals)
