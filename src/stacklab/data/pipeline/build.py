"""From an open source and a tokenizer to the files of a prepared folder."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from stacklab.base.files import write_text
from stacklab.data.integrity import file_sum, write_manifest
from stacklab.data.pipeline.manifest import check_splits, facts_of
from stacklab.data.pipeline.reading import Corpus, read_corpus, sieve_for
from stacklab.data.sources.source import OpenSource
from stacklab.data.spec import BpeTokenizer, BytesTokenizer, DataSpec, Marker
from stacklab.data.template import render
from stacklab.data.tokenizers.codec import Codec, Compact
from stacklab.data.tokenizers.files import TokenizerFile, bytes_tokenizer, read_tokenizer, train_bpe


def given_tokenizer(spec: DataSpec) -> TokenizerFile | None:
    """The tokenizer, or None when it is still to be trained. Raises TokenizerError."""
    if isinstance(spec.tokenizer, BpeTokenizer):
        return None
    if isinstance(spec.tokenizer, BytesTokenizer):
        return bytes_tokenizer()
    return read_tokenizer(spec.tokenizer)


def build(folder: Path, spec: DataSpec, opened: OpenSource, given: TokenizerFile | None, head: dict[str, Any]) -> None:
    """Fill `folder`; its manifest begins with `head` and is written last. Raises DataError and TokenizerError."""
    file = given or _train_tokenizer(spec, opened)
    corpus = read_corpus(folder, spec, opened, Codec(file))
    check_splits(corpus, spec)
    compact = _compact(corpus) if spec.vocabulary == "compact" else None
    facts = facts_of(corpus, spec, file, compact)
    if compact is not None:
        np.save(folder / "kept_ids.npy", compact.kept)
        for split in corpus.splits.values():
            split.renumber(compact)
    problems = [json.dumps(problem.to_json(), ensure_ascii=False) + "\n" for problem in corpus.collector.problems()]
    write_text(folder / "problems.jsonl", "".join(problems))
    write_text(folder / "tokenizer.json", file.text)
    files = {path.name: file_sum(path) for path in sorted(folder.iterdir())}
    source: dict[str, Any] = {"kind": spec.source.kind, "name": opened.name, **opened.identity}
    if opened.form is not None:
        source |= {"columns_read": list(opened.form.read), "columns_unread": list(opened.form.unread)}
    write_manifest(folder, head | {"source": source} | facts | {"files": files})


def _train_tokenizer(spec: DataSpec, opened: OpenSource) -> TokenizerFile:
    """On the training split alone: validation text must not shape the ids that it is measured with."""
    assert isinstance(spec.tokenizer, BpeTokenizer)
    texts = (
        piece
        for split, record in sieve_for(spec).sift(opened.records())
        if split == "train"
        for piece in render(record, spec.template)
        if not isinstance(piece, Marker)
    )
    return train_bpe(texts, spec.tokenizer.vocab_size)


def _compact(corpus: Corpus) -> Compact:
    used = corpus.splits["train"].counts > 0
    used[corpus.encoder.end_id] = True
    return Compact(np.flatnonzero(used).astype(np.uint32))
