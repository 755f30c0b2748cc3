"""Prepared data in its cache folder: manifest.json, a .bin file per split, tokenizer.json, problems.jsonl."""

import contextlib
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stacklab.base.errors import DataError, DiskError
from stacklab.base.files import read_json, read_text, regular, text_lines
from stacklab.base.text import shown
from stacklab.data.blocks import Blocks
from stacklab.data.cover import load_cover
from stacklab.data.integrity import damage_of, read_whole, write_whole
from stacklab.data.problems import Problem
from stacklab.data.sources.token_file import token_dtype
from stacklab.data.spec import HeldOut, Marker
from stacklab.data.template import Piece
from stacklab.data.tokenizers.codec import Codec, Compact, Ids
from stacklab.data.tokenizers.files import TokenizerFile


@dataclass(frozen=True, eq=False)
class PreparedData:
    """A split, tokenized and packed corpus. The arrays are memory-mapped; the tokenizer is loaded when first used."""

    folder: Path
    manifest: dict[str, Any]

    @property
    def fingerprint(self) -> str:
        return str(self.manifest["fingerprint"])

    @property
    def vocab_size(self) -> int:
        return int(self.manifest["vocab_size"])

    @property
    def block_size(self) -> int:
        return int(self.manifest["block_size"])

    @property
    def end_id(self) -> int | None:
        """The id that ends a generated text: the end of an assistant turn, or of a record. None if nothing does."""
        end = self.manifest["end_id"]
        return None if end is None else int(end)

    @cached_property
    def train(self) -> Blocks:
        return self._blocks("train")

    def held_out(self, split: HeldOut) -> Blocks:
        """The sequences that training never sees."""
        return self._blocks(split)

    @cached_property
    def problems(self) -> tuple[Problem, ...]:
        """Problems of the validation split with an exact answer, whose questions do not occur in training."""
        lines = text_lines(self.folder / "problems.jsonl")
        return tuple(Problem(**json.loads(line)) for _, line in lines)

    def encode(self, text: str) -> list[int]:
        """Ids of a text in which markers are written out, such as a problem's prompt.

        Raises DataError for a character that has no id, in a vocabulary of characters.
        """
        self._check_characters(text, "prompt")
        return self._codec.encode(text)

    def encode_pieces(self, records: Sequence[Sequence[Piece]]) -> list[Ids]:
        """Ids [T] of each record, as training has them: text that spells a marker stays text.

        Raises DataError for a character that has no id, in a vocabulary of characters.
        """
        for text in (piece for pieces in records for piece in pieces if not isinstance(piece, Marker)):
            self._check_characters(text, "text")
        return [self._codec.own(ids) for ids in self._codec.encode_pieces(records)]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of ids, markers written out."""
        return self._codec.decode(ids)

    def _check_characters(self, text: str, what: str) -> None:
        letters = self.manifest["tokenizer"]["kind"] == "characters"
        if letters and (letter := self._codec.first_unknown(text)) is not None:
            raise DataError(
                f"{what} {shown(text)}: the character {letter!r} has no id, since it occurs nowhere in the training "
                "text; leave it out"
            )

    @cached_property
    def _codec(self) -> Codec:
        tokenizer = self.manifest["tokenizer"]
        markers = {Marker(marker): token for marker, token in tokenizer["marker_tokens"].items()}
        text = read_text(self.folder / "tokenizer.json")
        compact = None
        if self.manifest["unknown_id"] is not None:
            compact = Compact(np.load(regular(self.folder / "kept_ids.npy"), allow_pickle=False))
        return Codec(TokenizerFile(tokenizer["name"], text, markers), compact)

    def _blocks(self, name: str) -> Blocks:
        stream = np.memmap(regular(self.folder / f"{name}.bin"), dtype=token_dtype(self.vocab_size), mode="r")
        facts = self.manifest["splits"][name]
        bytes_per_target = float(facts.get("bytes_per_target", facts["bytes_per_token"]))
        return Blocks(stream, self.block_size, bytes_per_target, load_cover(self.folder, name))


def bits_per_byte(loss_nats: float, bytes_per_token: float) -> float:
    """A loss in nats per target as bits per UTF-8 byte of the targets' text, which is comparable across tokenizers."""
    return loss_nats / math.log(2) / bytes_per_token


def prepared_folder(cache: Path, fingerprint: str) -> Path:
    """Where the data of a fingerprint lies under the cache."""
    return cache / "prepared" / fingerprint


def load_prepared(folder: Path) -> PreparedData:
    """Open a finished folder, for instance in a worker, without preparing anything.

    Raises DataError when the folder is missing or a file in it is missing or of another size.
    """
    damage = damage_of(folder, read_contents=False)
    if damage is not None:
        raise DataError(f"{folder}: no usable prepared data ({damage}); run the command again to prepare it")
    return PreparedData(folder, read_json(folder / "manifest.json"))


FILE = "unigram.json"
"""Beside the prepared data. It is not in their manifest, so its presence does not count as damage."""
CHUNK = 2**22
"""Ids that are counted at a time."""


def unigram_loss(data: PreparedData) -> float:
    """Cross-entropy in nats per token of the tokens that validation predicts, under the frequencies of the training
    split with one added to every count (Laplace), so that a token that training lacks has a finite loss.

    It is computed once and kept in the data's folder, if that can be written to.
    """
    path = data.folder / FILE
    with contextlib.suppress(DataError, AttributeError, TypeError, ValueError):
        (loss,) = read_whole(path, mend="delete it").values()
        return float(loss)
    held_out = data.held_out("validation")
    end = held_out.num_blocks * held_out.block_size + 1
    known, predicted = data.train.target_ids(0, len(data.train.stream)), held_out.target_ids(1, end)
    loss = cross_entropy(token_counts(known, data.vocab_size), token_counts(predicted, data.vocab_size))
    with contextlib.suppress(DiskError):
        write_whole(path, {"validation_loss": loss})
    return loss


def token_counts(ids: NDArray[np.integer], vocab_size: int) -> NDArray[np.int64]:
    """How often each id occurs in `ids` [tokens]: [vocab_size]."""
    counts = np.zeros(vocab_size, dtype=np.int64)
    for start in range(0, len(ids), CHUNK):
        counts += np.bincount(ids[start : start + CHUNK], minlength=vocab_size)
    return counts


def cross_entropy(known: NDArray[np.int64], predicted: NDArray[np.int64]) -> float:
    """Nats per predicted token under the frequencies of the known ones plus one; both are counts [vocab_size]."""
    surprisal = np.log(known.sum() + len(known)) - np.log(known + 1)
    return float((predicted * surprisal).sum() / predicted.sum())
