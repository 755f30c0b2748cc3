"""Which part of a corpus is held out: records by their hash, or a stretch of a running text."""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

from stacklab.base.streams import stream_seed
from stacklab.data.record import Record, TokenRecord
from stacklab.data.spec import DataSpec, Stretch

R = TypeVar("R", bound=Record | TokenRecord)

Split = Literal["train", "validation", "tuning"]


class SplitRule(Protocol):
    """Decides the split of every record that is kept; called in the order of the source."""

    def __call__(self, record: R) -> Iterable[tuple[Split, R]]:
        """The record with its split; in parts, each with its own, where a boundary cuts it."""
        ...


@dataclass(frozen=True)
class HashRule:
    """See ByHash. The shares are expected ones."""

    validation: float
    tuning: float
    split_seed: int

    def __call__(self, record: R) -> Iterable[tuple[Split, R]]:
        key = record.split_key
        split = split_of(key, validation=self.validation, tuning=self.tuning, split_seed=self.split_seed)
        return ((split, record),)


def split_of(key: str, *, validation: float, tuning: float, split_seed: int) -> Split:
    """The split of a record, from its `split_key` alone: duplicates share a split, and a new record moves no other.

    The shares are taken from opposite ends, so that a tuning split takes records from the training split alone.
    """
    place = stream_seed(split_seed, "data", "split", key) / 2**63
    if place < validation:
        return "validation"
    return "tuning" if place >= 1 - tuning else "train"


class StretchRule:
    """See Stretch. total: length of all pieces together, in characters or ids; a piece is cut at a boundary.

    The training part at the front has int(total * (1 - validation - tuning)) of them, as in nanoGPT's own scripts.
    """

    def __init__(self, place: Literal["end", "start"], *, validation: float, tuning: float, total: int) -> None:
        train, rest = int(total * (1 - validation - tuning)), int(total * (1 - validation))
        self._ends: list[tuple[int, Split]] = [(train, "train"), (rest, "tuning"), (total, "validation")]
        if place == "start":
            self._ends = [(total - rest, "validation"), (total - train, "tuning"), (total, "train")]
        self._done = 0

    def __call__(self, record: R) -> Iterable[tuple[Split, R]]:
        start, self._done = self._done, self._done + length_of(record)
        parts, begin = list[tuple[Split, R]](), start
        for end, split in self._ends:
            stop = min(end, self._done)
            if begin < stop:
                parts.append((split, _part(record, slice(begin - start, stop - start))))
                begin = stop
        return parts


def length_of(record: Record | TokenRecord) -> int:
    """Characters of a running text, or ids."""
    return len(record.ids) if isinstance(record, TokenRecord) else len(record.text)


def _part(record: Any, where: slice) -> Any:
    if where == slice(0, length_of(record)):
        return record
    if isinstance(record, TokenRecord):
        return TokenRecord(record.ids[where])
    return dataclasses.replace(record, text=record.text[where])


def needs_total(spec: DataSpec) -> bool:
    """Whether the rule of a spec depends on the length of the whole text."""
    return spec.is_running and (isinstance(spec.validation, Stretch) or spec.has_own_validation)


def rule_of(spec: DataSpec, *, total: int) -> SplitRule:
    """The rule for the records of `source`. total: see StretchRule; unused where the rule does not need it."""
    own = spec.validation
    validation, tuning = 0.0 if spec.has_own_validation else spec.validation_fraction, spec.tuning_fraction
    if not needs_total(spec):
        return HashRule(validation, tuning, spec.split_seed)
    place = own.place if isinstance(own, Stretch) else "end"
    return StretchRule(place, validation=validation, tuning=tuning, total=total)


def held_out(spec: DataSpec, name: str | None) -> str:
    """What the validation split is, in words that complete "validation is ...". name: of its own source, if any."""
    if name is not None:
        return f"all of {name}, apart from the training data"
    if isinstance(spec.validation, Stretch):
        return f"the {spec.validation.place} of the text, one stretch of {spec.validation_fraction:.3g} of its length"
    return "records that a hash of their content chooses, from all over the corpus"
