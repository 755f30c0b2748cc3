"""From a data spec to prepared data: read from the cache, or built there once."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from stacklab.base.canon import fingerprint
from stacklab.base.errors import DataError
from stacklab.base.files import open_new, write_text
from stacklab.base.folders import disk_error, write_folder
from stacklab.base.locks import exclusive
from stacklab.data.integrity import damage_of, file_sum, write_manifest
from stacklab.data.pipeline.manifest import check_splits, facts_of
from stacklab.data.pipeline.reading import Corpus, Sieve, Sources, read_corpus, sifted
from stacklab.data.pipeline.splits import held_out
from stacklab.data.prepared import PreparedData, load_prepared, prepared_folder
from stacklab.data.sources.source import OpenSource, open_source
from stacklab.data.spec import (
    BpeTokenizer,
    ByHash,
    BytesTokenizer,
    CharacterTokenizer,
    DataSpec,
    FileTokenizer,
    HubTokenizer,
    Marker,
    Source,
    Stretch,
    ValidationSource,
)
from stacklab.data.template import render
from stacklab.data.tokenizers.codec import Codec, Compact
from stacklab.data.tokenizers.files import (
    TokenizerFile,
    bytes_tokenizer,
    character_tokenizer,
    read_tokenizer,
    train_bpe,
)

FORMAT = 1
"""Part of the fingerprint: increased whenever the same spec and source would lead to other tokens."""
LAYOUT = 2
"""Increased whenever the same tokens have other files or another manifest: a folder of another layout is built again
under the same fingerprint."""


def prepare(spec: DataSpec, *, cache: Path) -> PreparedData:
    """The data of `spec`, built under `cache` unless it is there already, complete and undamaged.

    Of two processes that need it at once, one builds and the other waits. Raises DataError and TokenizerError for what
    cannot be used, DiskError when the cache cannot be written.
    """
    spec = spec.settled
    if isinstance(spec.validation, Stretch) and spec.split_seed:
        raise DataError(
            f"data.split_seed = {spec.split_seed}: a running text holds out a stretch, which no seed moves; set "
            "data.validation={kind: stretch, place: start} for another, or data.validation={kind: hash}"
        )
    sources = _open(spec)
    tokenizer = _existing_tokenizer(spec)
    described = _without_paths(spec, sources, tokenizer)
    key = fingerprint(described)
    folder = prepared_folder(cache, key)
    if not _is_ready(folder):
        head = {
            "format": FORMAT,
            "layout": LAYOUT,
            "fingerprint": key,
            "spec": described["spec"],
            "block_size": spec.block_size,
        }
        try:
            with exclusive(folder.parent / ".locks" / key, what="prepared data", give_up=lambda: False):
                if not _is_ready(folder):
                    write_folder(folder, lambda aside: _build(aside, spec, sources, tokenizer, head), replace=True)
        except OSError as error:
            raise disk_error(folder, error) from error
    return load_prepared(folder)


def _is_ready(folder: Path) -> bool:
    return damage_of(folder, read_contents=True) is None and load_prepared(folder).manifest.get("layout") == LAYOUT


def _open(spec: DataSpec) -> Sources:
    own = spec.validation
    held_out = open_source(spec.model_copy(update={"source": own})) if isinstance(own, ValidationSource) else None
    return Sources(open_source(spec), held_out)


def _without_paths(spec: DataSpec, sources: Sources, tokenizer: TokenizerFile | None) -> dict[str, Any]:
    """What determines the tokens: paths are replaced by hashes of their content."""
    plain = spec.dump()
    # How training draws sequences leaves the files as they are.
    plain.pop("sequences", None)
    if not spec.tuning_fraction:
        # Keeps the fingerprint, and the probe drawn from it, as before tuning splits were introduced.
        del plain["tuning_fraction"]
    plain["source"] = {key: value for key, value in plain["source"].items() if key != "path"} | sources.train.identity
    if isinstance(spec.validation, ByHash):
        del plain["validation"]  # the rule of records where none is stated
    elif sources.validation is not None:
        plain["validation"] = {key: value for key, value in plain["validation"].items() if key != "path"}
        plain["validation"] |= sources.validation.identity
    if isinstance(spec.tokenizer, HubTokenizer | FileTokenizer):
        assert tokenizer is not None
        plain["tokenizer"] = {"hash": tokenizer.hash}
    return {"spec": plain, "format": FORMAT}


def _existing_tokenizer(spec: DataSpec) -> TokenizerFile | None:
    """The tokenizer, or None when it is still to be trained. Raises TokenizerError."""
    if isinstance(spec.tokenizer, BpeTokenizer | CharacterTokenizer):
        return None
    if isinstance(spec.tokenizer, BytesTokenizer):
        return bytes_tokenizer()
    return read_tokenizer(spec.tokenizer)


def _build(
    folder: Path, spec: DataSpec, sources: Sources, tokenizer: TokenizerFile | None, head: dict[str, Any]
) -> None:
    """Fill `folder`; its manifest begins with `head` and is written last. Raises DataError and TokenizerError."""
    file = tokenizer or _train_tokenizer(spec, sources)
    corpus = read_corpus(folder, spec, sources, Codec(file))
    check_splits(corpus, spec)
    compact = _compact(corpus) if spec.vocabulary == "compact" else None
    facts = facts_of(corpus, spec, file, compact)
    if compact is not None:
        with open_new(folder / "kept_ids.npy") as handle:
            np.save(handle, compact.kept)
        for split in corpus.splits.values():
            split.renumber(compact)
    problems = [json.dumps(problem.to_json(), ensure_ascii=False) + "\n" for problem in corpus.collector.problems()]
    write_text(folder / "problems.jsonl", "".join(problems))
    write_text(folder / "tokenizer.json", file.text)
    files = {path.name: file_sum(path) for path in sorted(folder.iterdir())}
    source, name = _source_facts(spec.source, sources.train), None
    if sources.validation is not None and isinstance(spec.validation, ValidationSource):
        source["validation"] = _source_facts(spec.validation, sources.validation)
        name = sources.validation.name
    described = {"source": source, "held_out": held_out(spec, name)}
    write_manifest(folder, head | described | facts | {"files": files})


def _source_facts(source: Source, opened: OpenSource) -> dict[str, Any]:
    facts: dict[str, Any] = {"kind": source.kind, "name": opened.name, **opened.identity}
    return facts if opened.rows is None else facts | opened.rows.facts()


def _train_tokenizer(spec: DataSpec, sources: Sources) -> TokenizerFile:
    """Trained on the training split alone: validation text must not influence the ids it is evaluated with."""
    pieces = (
        (split, piece)
        for one in sifted(Sieve(), spec, sources)
        for split, record in one.records
        for piece in ([record.text] if spec.is_verbatim else render(record, spec.template))
    )
    if isinstance(spec.tokenizer, BpeTokenizer):
        texts = (piece for split, piece in pieces if split == "train" and not isinstance(piece, Marker))
        return train_bpe(texts, spec.tokenizer.vocab_size)
    training, others, markers = set[str](), set[str](), set[Marker]()
    for split, piece in pieces:
        if isinstance(piece, Marker):
            markers.add(piece)
        else:
            (training if split == "train" else others).update(piece)
    return character_tokenizer(training, more=not others <= training, markers=markers)


def _compact(corpus: Corpus) -> Compact:
    used = corpus.splits["train"].counts > 0
    if corpus.encoder.end_id is not None:
        used[corpus.encoder.end_id] = True
    return Compact(np.flatnonzero(used).astype(np.uint32))
