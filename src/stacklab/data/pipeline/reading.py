"""One pass over a source: sift, split, encode, write, count."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stacklab.data.blocks import SplitWriter
from stacklab.data.groups import grouped
from stacklab.data.pipeline.encode import TextEncoder, TokenEncoder
from stacklab.data.pipeline.split import Sieve, Split
from stacklab.data.problems import ProblemCollector
from stacklab.data.record import Record
from stacklab.data.sources.source import OpenSource
from stacklab.data.spec import DataSpec, TokensSpec
from stacklab.data.tokenizers.codec import Codec

BATCH = 512
"""Records encoded at a time: bounds the memory, whatever the size of the corpus."""


@dataclass(frozen=True)
class Corpus:
    """What the pass leaves behind; ids are still the tokenizer's own."""

    name: str
    sieve: Sieve[Any]
    encoder: TextEncoder | TokenEncoder
    collector: ProblemCollector
    splits: dict[Split, SplitWriter]
    """`train`, `validation`, and `tuning` where the spec asks for it."""


def sieve_for(spec: DataSpec) -> Sieve[Any]:
    return Sieve(spec.validation_fraction, spec.tuning_fraction, spec.split_seed)


def read_corpus(folder: Path, spec: DataSpec, opened: OpenSource, codec: Codec) -> Corpus:
    """Write a .bin file per split into `folder`. Raises DataError for a broken record."""
    source = spec.source
    encoder = TokenEncoder(codec, source) if isinstance(source, TokensSpec) else TextEncoder(codec, spec.template)
    names: list[Split] = ["train", "validation", *(("tuning",) if spec.tuning_fraction else ())]
    splits = {name: SplitWriter(folder / f"{name}.bin", encoder.vocab_size) for name in names}
    corpus = Corpus(opened.name, sieve_for(spec), encoder, ProblemCollector(spec.template), splits)
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
