"""One pass over the sources: drop duplicates, split, encode, write, count."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Generic, NamedTuple

from stacklab.data.blocks import SplitWriter
from stacklab.data.cover import CoverWriter
from stacklab.data.groups import grouped
from stacklab.data.pipeline.encode import TextEncoder, TokenEncoder
from stacklab.data.pipeline.splits import R, Split, SplitRule, length_of, needs_total, rule_of
from stacklab.data.problems import ProblemCollector
from stacklab.data.record import Record
from stacklab.data.sources.source import OpenSource, RowSource
from stacklab.data.sources.spec import TokensSpec
from stacklab.data.spec import DataSpec, Source, ValidationSource
from stacklab.data.tokenizers.codec import Codec


@dataclass
class Sieve(Generic[R]):
    """Drops empty records and duplicates, keeps the rest in order, each with its split, and counts.

    splits: records of each split; one that a boundary cuts counts in both. in_validation: duplicates that a source
    of its own for validation has as well.
    """

    read: int = 0
    empty: int = 0
    duplicates: int = 0
    kept: int = 0
    in_validation: int = 0
    splits: Counter[Split] = field(default_factory=Counter)
    _seen: set[str] = field(default_factory=set, repr=False)
    _held_out: set[str] = field(default_factory=set, repr=False)

    def sift(self, records: Iterable[R], rule: SplitRule, *, stride: int = 1) -> Iterator[tuple[Split, R]]:
        """(split, record) of every record kept, of one in `stride`; of duplicates the first is kept."""
        for record in self._unique(islice(records, 0, None, stride)):
            for split, part in rule(record):
                self.splits[split] += 1
                yield split, part

    def hold_out(self, records: Iterable[R]) -> Iterator[tuple[Split, R]]:
        """The records of a source for validation alone, which is sifted first: training then lacks them."""
        for record in self._unique(records):
            self.splits["validation"] += 1
            yield "validation", record
        self._held_out = set(self._seen)

    def _unique(self, records: Iterable[R]) -> Iterator[R]:
        for record in records:
            self.read += 1
            if record.is_empty:
                self.empty += 1
            elif record.digest in self._seen:
                self.duplicates += 1
                self.in_validation += record.digest in self._held_out
            else:
                self._seen.add(record.digest)
                self.kept += 1
                yield record

    def counts(self, names: Iterable[Split]) -> dict[str, int]:
        """Records read, dropped, kept, and in each of the named splits."""
        dropped = {"read": self.read, "empty": self.empty, "duplicates": self.duplicates}
        return dropped | {"kept": self.kept} | {name: self.splits[name] for name in names}


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
    rows: dict[str, RowSource]
    """The sources with columns, by what precedes their warnings."""


class Sources(NamedTuple):
    """The open source of a spec, and that of its validation where it has one of its own."""

    train: OpenSource
    validation: OpenSource | None

    @property
    def rows(self) -> dict[str, RowSource]:
        """The sources with columns, by what precedes their warnings."""
        opened = {"": self.train, "data.validation: ": self.validation}
        return {of: source.rows for of, source in opened.items() if source is not None and source.rows is not None}


class Sifted(NamedTuple):
    """The records of one source: what is kept, each with its split."""

    source: Source
    records: Iterator[tuple[Split, Any]]


def sifted(sieve: Sieve[Any], spec: DataSpec, sources: Sources) -> Iterator[Sifted]:
    """The sources of a spec in the order in which they must be read, each to its end. Raises DataError."""
    total = _total(spec, sources) if needs_total(spec) else 0
    return _sifted(sieve, spec, sources, rule_of(spec, total=total))


def _total(spec: DataSpec, sources: Sources) -> int:
    """The length of what is kept of the source: a pass of its own, since the boundaries depend on it."""

    def train_on_all(record: R) -> Iterable[tuple[Split, R]]:
        return (("train", record),)

    parts = (part for one in _sifted(Sieve(), spec, sources, train_on_all) for part in one.records)
    return sum(length_of(record) for split, record in parts if split == "train")


def _sifted(sieve: Sieve[Any], spec: DataSpec, sources: Sources, rule: SplitRule) -> Iterator[Sifted]:
    if sources.validation is not None:
        assert isinstance(spec.validation, ValidationSource)
        yield Sifted(spec.validation, sieve.hold_out(sources.validation.records()))
    yield Sifted(spec.source, sieve.sift(sources.train.records(), rule, stride=spec.record_stride))


def read_corpus(folder: Path, spec: DataSpec, sources: Sources, codec: Codec) -> Corpus:
    """Write a .bin file per split into `folder`. Raises DataError for a broken record."""
    source = spec.source
    encoder: TextEncoder | TokenEncoder = TextEncoder(codec, spec.template, spec.loss_on, spec.is_verbatim)
    if isinstance(source, TokensSpec):
        encoder = TokenEncoder(codec, source)
    names: list[Split] = ["train", "validation", *(("tuning",) if spec.tuning_fraction else ())]
    splits = {
        name: SplitWriter(
            folder / f"{name}.bin",
            encoder.vocab_size,
            None if spec.covers_all else CoverWriter(folder, name, spec.packing, spec.loss_on, codec.bytes_of),
        )
        for name in names
    }
    corpus = Corpus(sources.train.name, Sieve(), encoder, ProblemCollector(spec.template), splits, sources.rows)
    try:
        for one, records in sifted(corpus.sieve, spec, sources):
            own = encoder.of(one) if isinstance(encoder, TokenEncoder) else encoder
            for group in grouped(records, BATCH):
                encoded = own.encode([record for _, record in group])
                for (name, record), item in zip(group, encoded, strict=True):
                    splits[name].add(item)
                    if isinstance(record, Record) and name != "tuning":
                        corpus.collector.add(record, held_out=name == "validation")
    finally:
        for split in splits.values():
            split.close()
    return corpus
