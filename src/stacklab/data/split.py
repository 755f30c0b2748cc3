"""Which records are kept and on which side of the split they fall: decided by content, before any tokenizing."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from stacklab.base.streams import stream_seed
from stacklab.data.record import Record, TokenRecord

R = TypeVar("R", bound=Record | TokenRecord)


def is_validation(digest: str, *, fraction: float, split_seed: int) -> bool:
    """A function of one record's content, so that a duplicate cannot straddle and a new record moves no other."""
    return stream_seed(split_seed, "data", "split", digest) / 2**63 < fraction


@dataclass
class Sieve(Generic[R]):
    """Drops empty records and duplicates, keeps the rest in order, and counts."""

    fraction: float
    split_seed: int
    read: int = 0
    empty: int = 0
    duplicates: int = 0
    train: int = 0
    validation: int = 0
    _seen: set[str] = field(default_factory=set, repr=False)

    def sift(self, records: Iterable[R]) -> Iterator[tuple[bool, R]]:
        """(is it for validation, record) of every record kept; the first of several duplicates is."""
        for record in records:
            self.read += 1
            if record.is_empty:
                self.empty += 1
            elif record.digest in self._seen:
                self.duplicates += 1
            else:
                self._seen.add(record.digest)
                held_out = is_validation(record.digest, fraction=self.fraction, split_seed=self.split_seed)
                self.validation += held_out
                self.train += not held_out
                yield held_out, record

    @property
    def kept(self) -> int:
        return self.train + self.validation

    def counts(self) -> dict[str, int]:
        """Records read, dropped and kept."""
        dropped = {"read": self.read, "empty": self.empty, "duplicates": self.duplicates}
        return dropped | {"kept": self.kept, "train": self.train, "validation": self.validation}
