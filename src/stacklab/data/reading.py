"""One pass over a source: sift, split, encode, write, count."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stacklab.data.blocks import SplitWriter
from stacklab.data.codec import Codec
from stacklab.data.encode import TextEncoder, TokenEncoder
from stacklab.data.groups import grouped
from stacklab.data.problems import ProblemCollector
from stacklab.data.record import Record
from stacklab.data.sources import OpenSource
from stacklab.data.spec import DataSpec, TokensSpec
from stacklab.data.split import Sieve

BATCH = 512
"""Records encoded at a time: bounds the memory, whatever the size of the corpus."""


@dataclass(frozen=True)
class Corpus:
    """What the pass leaves behind; ids are still the tokenizer's own."""

    name: str
    sieve: Sieve[Any]
    encoder: TextEncoder | TokenEncoder
    collector: ProblemCollector
    train: SplitWriter
    validation: SplitWriter


def sieve_for(spec: DataSpec) -> Sieve[Any]:
    return Sieve(fraction=spec.validation_fraction, split_seed=spec.split_seed)


def read_corpus(folder: Path, spec: DataSpec, opened: OpenSource, codec: Codec) -> Corpus:
    """Write train.bin and validation.bin into `folder`. Raises DataError for a broken record."""
    source = spec.source
    encoder = TokenEncoder(codec, source) if isinstance(source, TokensSpec) else TextEncoder(codec, spec.template)
    train, validation = (SplitWriter(folder / f"{name}.bin", encoder.vocab_size) for name in ("train", "validation"))
    corpus = Corpus(opened.name, sieve_for(spec), encoder, ProblemCollector(spec.template), train, validation)
    try:
        for group in grouped(corpus.sieve.sift(opened.records()), BATCH):
            encoded = encoder.encode([record for _, record in group])
            for (held_out, record), item in zip(group, encoded, strict=True):
                (validation if held_out else train).add(item.ids, item.text_bytes)
                if isinstance(record, Record):
                    corpus.collector.add(record, held_out=held_out)
    finally:
        train.close()
        validation.close()
    return corpus
