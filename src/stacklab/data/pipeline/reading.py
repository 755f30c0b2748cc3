"""One pass over a source: drop duplicates, split by content, encode, write, count."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

from stacklab.base.streams import stream_seed
from stacklab.data.blocks import SplitWriter
from stacklab.data.groups import grouped
from stacklab.data.pipeline.encode import TextEncoder, TokenEncoder
from stacklab.data.problems import ProblemCollector
from stacklab.data.record import Record, TokenRecord
from stacklab.data.sources.source import OpenSource, RowSource
from stacklab.data.spec import DataSpec, TokensSpec
from stacklab.data.tokenizers.codec import Codec

R = TypeVar("R", bound=Record | TokenRecord)

Split = Literal["train", "validation", "tuning"]


def split_of(key: str, *, validation: float, tuning: float, split_seed: int) -> Split:
    """The split of a record, from its `split_key` alone: duplicates share a split, and a new record moves no other.

    The shares are taken from opposite ends, so that a tuning split takes records from the training split alone.
    """
    place = stream_seed(split_seed, "data", "split", key) / 2**63
    if place < validation:
        return "validation"
    return "tuning" if place >= 1 - tuning else "train"


@dataclass
class Sieve(Generic[R]):
    """Takes one record in `stride`, drops empty ones and duplicates, keeps the rest in order, and counts."""

    validation_fraction: float
    tuning_fraction: float
    split_seed: int
    stride: int = 1
    read: int = 0
    empty: int = 0
    duplicates: int = 0
    splits: Counter[Split] = field(default_factory=Counter)
    _seen: set[str] = field(default_factory=set, repr=False)

    def sift(self, records: Iterable[R]) -> Iterator[tuple[Split, R]]:
        """(split, record) of every record kept; of duplicates the first is kept."""
        for record in islice(records, 0, None, self.stride):
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


BATCH = 512
"""Records encoded at a time: bounds the memory, whatever the size of the corpus."""


@dataclass(frozen=True)
class Corpus:
    """The result of the pass; ids are still the tokenizer's own."""

    name: str
    sieve: Sieve[Any]
    encoder: TextEncoder | TokenEncoder
    collector: ProblemCollector
    splits: dict[Split, SplitWriter]
    """`train`, `validation`, and `tuning` where the spec asks for it."""
    rows: RowSource | None
    """The rows that were read, and how many are broken; None for a source without columns."""


def sieve_for(spec: DataSpec) -> Sieve[Any]:
    """A fresh sieve with the spec's shares."""
    return Sieve(spec.validation_fraction, spec.tuning_fraction, spec.split_seed, spec.record_stride)


def read_corpus(folder: Path, spec: DataSpec, opened: OpenSource, codec: Codec) -> Corpus:
    """Write a .bin file per split into `folder`. Raises DataError for a broken record."""
    source = spec.source
    encoder = TokenEncoder(codec, source) if isinstance(source, TokensSpec) else TextEncoder(codec, spec.template)
    names: list[Split] = ["train", "validation", *(("tuning",) if spec.tuning_fraction else ())]
    splits = {name: SplitWriter(folder / f"{name}.bin", encoder.vocab_size) for name in names}
    corpus = Corpus(opened.name, sieve_for(spec), encoder, ProblemCollector(spec.template), splits, opened.rows)
    try:
        for group in grouped(corpus.sieve.sift(opened.records()), BATCH):
            encoded = encoder.encode([record for _, record in group])
            for (name, record), item in zip(group, encoded, strict=True):
                splits[name].add(item.ids, item.text_bytes)
                if isinstance(record, Record) and name != "tuning":
                    corpus.collector.add(record, held_out=name == "validation")
    finally:
        for split in splits.values():
            split.close()
    return corpus
