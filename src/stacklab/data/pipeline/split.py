"""Which records are kept and on which side of the split they fall: decided by content, before any tokenizing."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

from stacklab.base.streams import stream_seed
from stacklab.data.record import Record, TokenRecord

R = TypeVar("R", bound=Record | TokenRecord)

Split = Literal["train", "validation", "tuning"]


def split_of(key: str, *, validation: float, tuning: float, split_seed: int) -> Split:
    """A function of one record's `split_key`, so that a duplicate cannot straddle and a new record moves no other.

    The shares are cut from the two ends, so that a tuning split takes records from the training split alone.
    """
    place = stream_seed(split_seed, "data", "split", key) / 2**63
    if place < validation:
        return "validation"
    return "tuning" if place >= 1 - tuning else "train"


@dataclass
class Sieve(Generic[R]):
    """Drops empty records and duplicates, keeps the rest in order, and counts."""

    validation_fraction: float
    tuning_fraction: float
    split_seed: int
    read: int = 0
    empty: int = 0
    duplicates: int = 0
    splits: Counter[Split] = field(default_factory=Counter)
    _seen: set[str] = field(default_factory=set, repr=False)

    def sift(self, records: Iterable[R]) -> Iterator[tuple[Split, R]]:
        """(its split, record) of every record kept; the first of several duplicates is."""
        for record in records:
            self.read += 1
            if record.is_empty:
                self.empty += 1
            elif record.digest in self._seen:
                self.duplicates += 1
            else:
                self._seen.add(record.digest)
                split = split_of(
                    record.split_key,
                    validation=self.validation_fraction,
                    tuning=self.tuning_fraction,
                    split_seed=self.split_seed,
                )
                self.splits[split] += 1
                yield split, record

    @property
    def kept(self) -> int:
        return self.splits.total()

    def counts(self) -> dict[str, int]:
        """Records read, dropped, kept, and in each split; a tuning split only where there is one."""
        dropped = {"read": self.read, "empty": self.empty, "duplicates": self.duplicates}
        always = {"kept": self.kept, "train": self.splits["train"], "validation": self.splits["validation"]}
        return dropped | always | ({"tuning": self.splits["tuning"]} if self.tuning_fraction else {})
