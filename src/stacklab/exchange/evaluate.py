"""Scores of a trained model on sequences or text from a file."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np

from stacklab.base.errors import DataError
from stacklab.base.files import regular, text_lines
from stacklab.data.prepared import PreparedData, bits_per_byte, load_prepared, prepared_folder
from stacklab.data.record import Record, TokenRecord
from stacklab.data.sources.source import open_source
from stacklab.data.sources.spec import FileSpec
from stacklab.data.spec import BytesTokenizer, DataSpec, Source
from stacklab.data.template import Piece, render, text_bytes
from stacklab.exchange.locate import locate
from stacklab.exchange.open_model import open_portable
from stacklab.exchange.portable import Portable
from stacklab.model.masks import MASKS
from stacklab.model.transformer import Transformer
from stacklab.run.heads import trained_model
from stacklab.run.paths import RunPaths, out_of
from stacklab.run.store import read_spec
from stacklab.tasks.data import TaskData
from stacklab.tasks.parts.sequence_file import TARGETS, read_sequences, slice_names
from stacklab.train.evaluate import mean_loss, perplexity, target_scores
from stacklab.train.step import Sequences

LOGITS_AT_ONCE = 2**24
CHUNK_ROWS = 1024


@dataclass(frozen=True)
class Evaluation:
    """loss: mean cross-entropy in nats over the positions with a target, or over the tokens of a text but the first.

    positions: how many these are. Of sequences: accuracy over the `scored` ones, and by slice where there are several.
    Of text: bits per UTF-8 byte, markers not counted.
    """

    model: str
    file: str
    form: str
    sequences: int
    positions: int
    loss: float
    perplexity: float | None
    scored: int | None = None
    accuracy: float | None = None
    slices: dict[str, float] = field(default_factory=dict)
    bits_per_byte: float | None = None


def evaluate_file(name: str, file: Path, *, out: Path) -> Evaluation:
    """The scores of a finished run, an imported model or a folder of transformers on all of a file.

    Raises DataError for a file that cannot be used or does not fit the model, and what opening the model raises.
    """
    located = locate(name, out)
    spec = read_spec(located) if isinstance(located, RunPaths) else None
    if holds_sequences(file) or (spec is not None and isinstance(spec.data, TaskData)):
        return _of_sequences(
            located.run_id if isinstance(located, RunPaths) else located.name, _model(located, name), file
        )
    if isinstance(located, Portable):
        return _of_texts(located, name, file)
    assert spec is not None and isinstance(spec.data, DataSpec)
    data = load_prepared(prepared_folder(out_of(located).cache, spec.data_fingerprint))
    return _of_packed_text(located, spec.data, data, file)


def holds_sequences(file: Path) -> bool:
    """Whether a file states inputs and targets as ids: by its ending, or by its first row."""
    if file.is_dir() or file.suffix.lower() == ".npz":
        return True
    if file.suffix.lower() == ".parquet":
        return _has_columns(_parquet_columns(file))
    if file.suffix.lower() not in (".jsonl", ".ndjson") or not file.is_file():
        return False
    try:
        first = next((line for _, line in text_lines(file) if line.strip()), "")
        row = json.loads(first.removeprefix("\ufeff"))
    except (DataError, ValueError, RecursionError):
        return False
    inputs = row.get("inputs") if isinstance(row, dict) else None
    is_ids = isinstance(inputs, list) or (isinstance(inputs, str) and inputs.replace(" ", "").isdigit())
    return is_ids and _has_columns(list(row))


def _has_columns(names: list[str]) -> bool:
    return "inputs" in names and any(target in names for target in TARGETS)


def _parquet_columns(file: Path) -> list[str]:
    """Names of the columns that hold lists; empty for a file that cannot be read, which its reader will name."""
    import pyarrow.parquet
    from pyarrow.lib import ArrowException

    try:
        schema = pyarrow.parquet.read_schema(regular(file))
    except (ArrowException, OSError, DataError):
        return []
    return [column.name for column in schema if pyarrow.types.is_list(column.type)]


def _model(located: RunPaths | Portable, name: str) -> Transformer:
    if isinstance(located, Portable):
        return located.build(Path(name))
    if not located.weights.exists():
        raise DataError(f"{located.folder}: has no final weights yet; `stacklab status` shows its progress")
    return trained_model(located)


def _of_sequences(name: str, model: Transformer, file: Path) -> Evaluation:
    spec = model.spec
    vocab = spec.vocab_size or 0
    part = read_sequences([str(file)], ids=vocab)
    length = int(part.length_N.max())
    if length > spec.context_length:
        at = int(part.length_N.argmax()) + 1
        raise DataError(f"{file}: sequence {at} has {length} positions, the model's context {spec.context_length}")
    if not MASKS[spec.mask].causal and (part.length_N != length).any():
        raise DataError(f"{file}: lengths differ, and the model's mask, {spec.mask}, would see what fills them up")
    names = slice_names([part])
    batch = part.padded(length, by_length=len(names) > 1)
    rows = max(1, LOGITS_AT_ONCE // (length * vocab))
    losses, right = [], []
    for start in range(0, len(batch.tokens_BT), rows):
        some = type(batch)(*(array[start : start + rows] for array in batch))
        scores = target_scores(model.eval(), some.tokens_BT, some.targets_BT, target_mask_BT=some.target_mask_BT)
        losses.append(scores[0])
        right.append(scores[1])
    loss_N, right_BT = np.concatenate(losses), np.concatenate(right)
    shares = {text: float(right_BT[batch.slice_BT == number].mean()) for number, text in names.items()}
    return Evaluation(
        model=name,
        file=str(file),
        form="sequences",
        sequences=len(batch.tokens_BT),
        positions=len(loss_N),
        loss=float(loss_N.mean()),
        perplexity=perplexity(float(loss_N.mean())),
        scored=int(batch.scored_BT.sum()),
        accuracy=float(right_BT[batch.scored_BT].mean()),
        slices=shares if len(shares) > 1 else {},
    )


def _of_packed_text(run: RunPaths, spec: DataSpec, data: PreparedData, file: Path) -> Evaluation:
    """The records in blocks, as the run trained on them: one after the other, or each by itself where it packs
    documents; every token but the first is a target."""
    model = _model(run, run.run_id)
    spec = spec.model_copy(update={"source": _source_like(spec.source, file)})
    streams, size = list[np.ndarray](), 0
    rendered = (_pieces(record, spec) for record in open_source(spec).records())
    while some := list(islice(rendered, 1024)):
        try:
            streams += [np.asarray(each, dtype=np.int64) for each in data.encode_pieces(some)]
        except DataError as error:
            raise DataError(f"{file}: {error}") from error
        size += sum(map(text_bytes, some))
    records = len(streams)
    if spec.packing == "stream" and streams:
        streams = [np.concatenate(streams)]
    return _text_result(run.run_id, model, file, streams, spec.block_size, records, size)


def _pieces(record: Record | TokenRecord, spec: DataSpec) -> list[Piece]:
    assert isinstance(record, Record), "a file of text has no records of ids"
    return [record.text] if spec.is_verbatim else render(record, spec.template)


def _source_like(source: Source, file: Path) -> FileSpec:
    """The file, read as the source of the run is."""
    kept = {name: getattr(source, name) for name in ("columns", "skip", "surrogates") if hasattr(source, name)}
    if isinstance(source, FileSpec) and file.suffix.lower() == ".txt":
        kept["separator"] = source.separator
    return FileSpec(path=str(file), **kept)


def _of_texts(portable: Portable, name: str, file: Path) -> Evaluation:
    """Each record by itself, as the model's own tokenizer writes it, with the model's end id where it has one."""
    opened_model = open_portable(portable, Path(name))
    plain = DataSpec(source=FileSpec(path=str(file)), tokenizer=BytesTokenizer(), block_size=1)
    streams, size = [], 0
    for number, record in enumerate(open_source(plain).records(), start=1):
        text = getattr(record, "text", "")
        if not text:
            raise DataError(f"{file}: record {number} is a conversation, and an imported model has no template for it")
        end = [] if opened_model.end_id is None else [opened_model.end_id]
        streams.append(np.array([*opened_model.encode(text), *end], dtype=np.int64))
        size += len(text.encode())
    window = portable.spec.context_length
    return _text_result(portable.name, opened_model.model, file, streams, window, len(streams), size)


def _text_result(
    name: str, model: Transformer, file: Path, streams: list[np.ndarray], window: int, records: int, size: int
) -> Evaluation:
    total, predicted = 0.0, 0
    for blocks in _blocks(streams, window):
        count = blocks.shape[0] * (blocks.shape[1] - 1)
        total += count * mean_loss(model.eval(), Sequences.of_blocks(blocks), chunk_rows=CHUNK_ROWS)
        predicted += count
    if not predicted or not size:
        raise DataError(f"{file}: holds no text of two tokens or more")
    loss = total / predicted
    bytes_per_token = size / sum(map(len, streams))
    return Evaluation(
        model=name,
        file=str(file),
        form="text",
        sequences=records,
        positions=predicted,
        loss=loss,
        perplexity=perplexity(loss),
        bits_per_byte=bits_per_byte(loss, bytes_per_token),
    )


def _blocks(streams: list[np.ndarray], window: int) -> Iterator[np.ndarray]:
    """Windows [n, window + 1] of each stream that follow each other, and what remains [1, rest + 1]."""
    for stream in streams:
        whole = (len(stream) - 1) // window
        if whole > 0:
            places = np.arange(whole)[:, None] * window + np.arange(window + 1)
            yield stream[places]
        if len(stream) - 1 > max(whole, 0) * window:
            yield stream[None, max(whole, 0) * window :]
