"""The manifest of prepared data: counts and warnings; and the refusal of data that cannot be trained on."""

from collections.abc import Iterator
from typing import Any

from stacklab.base.errors import DataError
from stacklab.data.blocks import SplitWriter
from stacklab.data.pipeline.encode import TextEncoder
from stacklab.data.pipeline.reading import Corpus
from stacklab.data.pipeline.splits import needs_total
from stacklab.data.sources.records import reasons
from stacklab.data.sources.source import RowSource
from stacklab.data.sources.spec import FileSpec
from stacklab.data.spec import BpeTokenizer, CharacterTokenizer, DataSpec
from stacklab.data.tokenizers.codec import Compact
from stacklab.data.tokenizers.files import TokenizerFile

FEW_BLOCKS = 8
SMALL_SHARE = 0.01
MOST_COLUMNS = 5
"""Columns that a warning lists by name; the manifest has all."""
SIDES = {"train": "training"}
"""The name of a split in a sentence, where it differs from its key."""


def check_splits(corpus: Corpus, spec: DataSpec) -> None:
    """Raises DataError when there are no records, or a split has no full block."""
    sieve = corpus.sieve
    if not sieve.kept:
        skipped = f", {broken} broken rows left out" if (broken := _broken(corpus)) else ""
        raise DataError(
            f"{corpus.name}: the corpus is empty ({sieve.read} records read, {sieve.empty} of them without text"
            f"{skipped}); expected at least a block of text per split"
        )
    smaller = "add records, lower data.block_size"
    by_seed = "" if needs_total(spec) else " or change data.split_seed"
    cures = {
        "train": f"{smaller} or lower data.validation_fraction",
        "validation": f"{smaller}, raise data.validation_fraction{by_seed}",
        "tuning": f"{smaller}, raise data.tuning_fraction{by_seed}",
    }
    if spec.has_own_validation:
        cures |= {"train": smaller, "validation": f"{smaller} to the source of data.validation"}
    for name, split in corpus.splits.items():
        if split.tokens <= spec.block_size:
            raise DataError(
                f"{corpus.name}: the {SIDES.get(name, name)} split has {split.tokens} tokens "
                f"({split.records} of {sieve.kept} records), a block of {spec.block_size} needs "
                f"{spec.block_size + 1}; {cures[name]}"
            )
    _check_targets(corpus, spec)


def _check_targets(corpus: Corpus, spec: DataSpec) -> None:
    for name, split in corpus.splits.items():
        if split.cover is not None and not split.cover.text_bytes:
            raise DataError(
                f"{corpus.name}: no text of the {SIDES.get(name, name)} split is a target ({split.records} records); "
                f"data.loss_on = {spec.loss_on} covers what assistant turns say: set data.loss_on=all for other records"
            )


def facts_of(corpus: Corpus, spec: DataSpec, file: TokenizerFile, compact: Compact | None) -> dict[str, Any]:
    """The part of the manifest that the pass determines. Call it before ids are renumbered on disk."""
    encoder = corpus.encoder
    vocab_size = encoder.vocab_size if compact is None else compact.unknown_id + 1
    end_id, unknown = encoder.end_id, _unknown_character(corpus, spec)
    markers = {marker.value: _number(encoder.codec.full_id(marker), compact) for marker in file.markers}
    if compact is not None:
        markers = {marker: number for marker, number in markers.items() if number != compact.unknown_id}
    return {
        "vocab_size": vocab_size,
        "end_id": None if end_id is None else _number(end_id, compact),
        "tokenizer": {
            "kind": spec.tokenizer.kind,
            "name": file.name,
            "hash": file.hash,
            "vocab_size": encoder.codec.full_size,
            "marker_tokens": file.markers,
            "marker_ids": markers,
        },
        "unknown_id": None if compact is None else compact.unknown_id,
        "records": corpus.sieve.counts(corpus.splits) | {"skipped": _broken(corpus)},
        "splits": {
            name: _split_facts(split, spec.block_size, compact, unknown) for name, split in corpus.splits.items()
        },
        "problems": len(corpus.collector.problems()),
        "shared_questions": corpus.collector.shared_questions,
        "warnings": _warnings(corpus, spec, compact),
    }


def _number(full: int, compact: Compact | None) -> int:
    return full if compact is None else compact.number(full)


def _unknown_character(corpus: Corpus, spec: DataSpec) -> int | None:
    """The id of the characters that training lacks, if there is one."""
    number = corpus.encoder.codec.unknown_character if isinstance(spec.tokenizer, CharacterTokenizer) else None
    return None if number is None or corpus.splits["train"].counts[number] else number


def _split_facts(split: SplitWriter, block_size: int, compact: Compact | None, unknown: int | None) -> dict[str, Any]:
    """`tokens_per_epoch` are those that training predicts, full blocks only; shares are of the tokenizer's ids."""
    blocks = (split.tokens - 1) // block_size
    used = int((split.counts > 0).sum())
    known = split.tokens if compact is None else int(split.counts[compact.kept].sum())
    known -= 0 if unknown is None else int(split.counts[unknown])
    return {
        "records": split.records,
        "tokens": split.tokens,
        "text_bytes": split.text_bytes,
        "bytes_per_token": split.text_bytes / split.tokens,
        "blocks": blocks,
        "tokens_per_epoch": blocks * block_size,
        "ids_used": used,
        "share_of_ids_used": used / split.vocab_size,
        "unknown_tokens": split.tokens - known,
    } | _cover_facts(split)


def _cover_facts(split: SplitWriter) -> dict[str, Any]:
    """Targets and their bytes, where not every token is one."""
    if split.cover is None:
        return {}
    targets = split.cover.targets
    return {"targets": targets, "bytes_per_target": split.cover.text_bytes / targets}


def _warnings(corpus: Corpus, spec: DataSpec, compact: Compact | None) -> list[str]:
    """One sentence per thing that weakens what can be concluded."""
    train, validation = corpus.splits["train"], corpus.splits["validation"]
    blocks = (validation.tokens - 1) // spec.block_size
    share = validation.tokens / (train.tokens + validation.tokens)
    shared = corpus.collector.shared_questions
    warnings = [f"{of}{line}" for of, rows in corpus.rows.items() for line in _of_rows(rows)]
    if blocks < FEW_BLOCKS:
        warnings.append(f"the validation split has only {blocks} block{'s' if blocks > 1 else ''}; its loss is noisy")
    if share < SMALL_SHARE:
        warnings.append(f"the validation split has {share:.2%} of the tokens, less than {SMALL_SHARE:.0%}")
    if shared:
        warnings.append(
            f"{shared} validation records ask a question of the training split; they are no held-out problems"
        )
    if same := corpus.sieve.in_validation:
        warnings.append(f"{same} records of the source are also in the validation data; training leaves them out")
    if isinstance(corpus.encoder, TextEncoder) and corpus.encoder.spelled:
        cure = "; if it stands between records, give it as source.separator" if _is_unseparated(spec) else ""
        warnings.append(
            f"{corpus.encoder.spelled} records spell a marker such as <|endoftext|>; it is encoded as text{cure}"
        )
    if isinstance(spec.tokenizer, BpeTokenizer) and corpus.encoder.vocab_size < spec.tokenizer.vocab_size:
        warnings.append(
            f"the training split gave {corpus.encoder.vocab_size} of the {spec.tokenizer.vocab_size} ids asked for in "
            "data.tokenizer.vocab_size"
        )
    if (unknown := _unknown_character(corpus, spec)) is not None:
        count = sum(int(split.counts[unknown]) for split in corpus.splits.values())
        warnings.append(
            f"{count} characters of held-out text occur nowhere in the training text; they share the id {unknown}, "
            "which no training step makes likelier"
        )
    if compact is not None:
        warnings.append("the vocabulary is compact: losses are not comparable with those over the full vocabulary")
    return warnings


def _broken(corpus: Corpus) -> int:
    """The broken rows that were left out."""
    return sum(rows.counts.skipped.total() for rows in corpus.rows.values())


def _of_rows(rows: RowSource) -> Iterator[str]:
    """What of the rows is not read, or not as it stands there."""
    counts = rows.counts
    if unread := rows.unread:
        listed = [f"{name} ({_share(share)})" for name, share in list(unread.items())[:MOST_COLUMNS]]
        more = f" and {len(unread) - MOST_COLUMNS} more" if len(unread) > MOST_COLUMNS else ""
        yield (
            f"columns with text that are not read, with their share of all characters: {', '.join(listed)}{more}; "
            "data.source.columns names the columns that are read"
        )
    if broken := counts.skipped.total():
        yield f"{broken} of {counts.rows} rows left out as broken (source.skip): {reasons(counts.skipped)}"
    if counts.replaced:
        halves = "half of a surrogate pair" if counts.replaced == 1 else "halves of surrogate pairs"
        yield f"U+FFFD stands for {counts.replaced} {halves} (source.surrogates)"


def _share(share: float) -> str:
    return f"{share:.0%}" if share >= SMALL_SHARE else f"under {SMALL_SHARE:.0%}"


def _is_unseparated(spec: DataSpec) -> bool:
    """Whether records are divided by blank lines only because no separator was named."""
    source = spec.source
    return isinstance(source, FileSpec) and source.separator is None and source.ending == "txt"
