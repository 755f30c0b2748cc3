"""Text to ids and back, with markers kept apart from text that spells them."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, processors

from stacklab.base.errors import TokenizerError
from stacklab.data.spec import Marker
from stacklab.data.template import Piece
from stacklab.data.tokenizers.files import UNKNOWN_CHARACTER, TokenizerFile
from stacklab.data.tokenizers.library import as_tokenizer_error, encode_texts

Ids = NDArray[np.uint32]


@dataclass(frozen=True)
class Compact:
    """The ids that a corpus uses, renumbered in order; all others become the one unknown id after them.

    `kept` [n] holds the tokenizer's ids in ascending order.
    """

    kept: Ids

    @property
    def unknown_id(self) -> int:
        return len(self.kept)

    def number(self, full: int) -> int:
        """The compact id of one id of the tokenizer."""
        return int(self.from_full(np.array([full]))[0])

    def from_full(self, ids: np.ndarray) -> Ids:
        """Compact ids [T] of the tokenizer's ids [T]."""
        places = np.searchsorted(self.kept, ids)
        known = (places < len(self.kept)) & (self.kept[np.minimum(places, len(self.kept) - 1)] == ids)
        return np.where(known, places, self.unknown_id).astype(np.uint32)


class Codec:
    """A loaded tokenizer. Ids are the tokenizer's own, or the compact ones where there is `compact`."""

    def __init__(self, file: TokenizerFile, compact: Compact | None = None) -> None:
        self._tokenizer = file.load()
        self._tokenizer.encode_special_tokens = True  # text that spells a marker stays text
        self._compact = compact
        self._name = file.name
        vocabulary = self._tokenizer.get_vocab()
        self._full_ids = {marker: vocabulary[token] for marker, token in file.markers.items()}
        self._by_token = {token: marker for marker, token in file.markers.items()}
        # Without markers, a pattern that nothing matches.
        self._split = re.compile("(" + ("|".join(re.escape(token) for token in self._by_token) or "(?!)") + ")")
        self.unknown_character: int | None = vocabulary.get(UNKNOWN_CHARACTER)
        """The id of the characters that training lacks, or of U+FFFD itself, in a vocabulary of characters."""
        self._vocabulary = vocabulary
        self.full_size: int = max(vocabulary.values()) + 1
        """The number of the tokenizer's ids, including added tokens and gaps."""

    def full_id(self, marker: Marker) -> int:
        """The tokenizer's id of a marker. Raises TokenizerError when it has none."""
        if marker not in self._full_ids:
            raise TokenizerError(
                f"tokenizer {self._name} has no token {marker.value}, which chatml puts around every turn; "
                "set data.template=plain or choose another tokenizer"
            )
        return self._full_ids[marker]

    def encode_pieces(self, records: Sequence[Sequence[Piece]]) -> list[Ids]:
        """The tokenizer's own ids [T] of each record; compact ids are made once the whole corpus is known."""
        texts = [piece for pieces in records for piece in pieces if not isinstance(piece, Marker)]
        encoded = iter(encode_texts(self._tokenizer, texts, self._name, offsets=False))
        return [
            np.concatenate([self._piece_ids(piece, encoded) for piece in pieces] or [np.empty(0, np.uint32)])
            for pieces in records
        ]

    def encode_marked(
        self, pieces: Sequence[Piece], spans: Sequence[Sequence[tuple[int, int]]]
    ) -> tuple[Ids, NDArray[np.bool_]]:
        """The ids [T] of one record, the same as of `encode_pieces`, and whether each reaches into a span of its piece.

        spans: ranges of characters, by piece; any range of a marker marks it.
        """
        # Only offsets depend on the post-processor: the usual one leaves blanks out of them.
        self._tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
        texts = [piece for piece in pieces if not isinstance(piece, Marker)]
        encoded = iter(encode_texts(self._tokenizer, texts, self._name))
        ids, marked = list[int](), list[bool]()
        for piece, own in zip(pieces, spans, strict=True):
            if isinstance(piece, Marker):
                ids.append(self.full_id(piece))
                marked.append(bool(own))
                continue
            encoding = next(encoded)
            ids += encoding.ids
            marked += [any(begin < stop and start < end for begin, end in own) for start, stop in encoding.offsets]
        return np.array(ids, dtype=np.uint32), np.array(marked, dtype=np.bool_)

    def bytes_of(self, number: int) -> int:
        """UTF-8 bytes of the text of one of the tokenizer's own ids, which may be a part of a character."""
        if number in self._full_ids.values():
            return 0
        text = self._text([number], skip=True)
        if "\ufffd" not in text:
            return len(text.encode())
        token = self._tokenizer.id_to_token(number) or ""
        return 1 if token.startswith("<0x") else len(token)  # a byte fallback; else a character stands for each byte

    def encode(self, text: str) -> list[int]:
        """Ids of a text in which markers are written out, such as a prompt."""
        pieces = [self._by_token.get(part, part) for part in self._split.split(text) if part]
        return [int(token) for token in self.own(self.encode_pieces([pieces])[0])]

    def own(self, ids: Ids) -> Ids:
        """The ids that a model has for the tokenizer's own [T]."""
        return ids if self._compact is None else self._compact.from_full(ids)

    def decode(self, ids: Iterable[int]) -> str:
        """The text with its markers written out; an unknown id is U+FFFD."""
        if self._compact is None:
            return self._text(list(ids))
        runs: list[list[int]] = [[]]
        for token in ids:
            if token < self._compact.unknown_id:
                runs[-1].append(int(self._compact.kept[token]))
            else:
                runs.append([])
        return "\ufffd".join(map(self._text, runs))

    def first_unknown(self, text: str) -> str | None:
        """The first character of a text without an id, in a vocabulary of characters."""
        if self.unknown_character is not None:
            return None
        parts = (part for part in self._split.split(text) if part not in self._by_token)
        return next((letter for part in parts for letter in part if letter not in self._vocabulary), None)

    @property
    def marker_tokens(self) -> tuple[str, ...]:
        return tuple(self._by_token)

    def size(self, ids: np.ndarray) -> int:
        """UTF-8 bytes of the text of the tokenizer's ids [T]; markers count no bytes."""
        text_ids = ids[~np.isin(ids, list(self._full_ids.values()))]
        return len(self._text(text_ids.tolist(), skip=True).encode())

    def _text(self, ids: list[int], *, skip: bool = False) -> str:
        """The text of the tokenizer's own ids, without those of special tokens if they are to be skipped."""
        with as_tokenizer_error(f"{self._name}: the tokenizer cannot decode ids"):
            return str(self._tokenizer.decode(ids, skip_special_tokens=skip))

    def _piece_ids(self, piece: Piece, encoded: Iterator[Encoding]) -> Ids:
        return np.array([self.full_id(piece)] if isinstance(piece, Marker) else next(encoded).ids, dtype=np.uint32)
