"""Records as ids, each with its end id and the number of bytes of its text."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stacklab.data.cover import Encoded
from stacklab.data.record import Record, TokenRecord
from stacklab.data.sources.spec import TokensSpec
from stacklab.data.sources.token_file import check_ids
from stacklab.data.spec import LossOn, Marker, Source
from stacklab.data.template import Piece, Template, answer_spans, end_marker, render, text_bytes
from stacklab.data.tokenizers.codec import Codec, Ids

SLICE = 4096
"""Characters of a text that is encoded in slices."""


@dataclass
class TextEncoder:
    """`spelled` counts records whose text spells a marker; such text is encoded as plain text.

    verbatim: see DataSpec.is_verbatim.
    """

    codec: Codec
    template: Template
    loss_on: LossOn = "all"
    verbatim: bool = False
    conversations: int = 0
    spelled: int = 0

    @property
    def vocab_size(self) -> int:
        return self.codec.full_size

    @property
    def end_id(self) -> int | None:
        """The id that ends a generated text or answer, None if nothing does; known once every record is encoded."""
        if self.verbatim:
            return None
        return self.codec.full_id(end_marker(self.template, conversations=self.conversations > 0))

    def encode(self, records: Sequence[Record]) -> list[Encoded]:
        if self.verbatim:
            return [Encoded(self._whole(record.text), len(record.text.encode())) for record in records]
        rendered = [render(record, self.template) for record in records]
        for record, pieces in zip(records, rendered, strict=True):
            self.conversations += bool(record.turns)
            texts = [piece for piece in pieces if not isinstance(piece, Marker)]
            self.spelled += any(token in text for text in texts for token in self.codec.marker_tokens)
        sizes = map(text_bytes, rendered)
        if self.loss_on == "answers":
            return [
                self._with_answers(record, pieces, size)
                for record, pieces, size in zip(records, rendered, sizes, strict=True)
            ]
        return [Encoded(ids, size) for ids, size in zip(self.codec.encode_pieces(rendered), sizes, strict=True)]

    def _whole(self, text: str) -> Ids:
        """The ids of a text of which every character is an id: slice by slice, to bound the memory."""
        slices = (text[start : start + SLICE] for start in range(0, len(text), SLICE))
        return np.concatenate([self.codec.encode_pieces([[part]])[0] for part in slices])

    def _with_answers(self, record: Record, pieces: list[Piece], size: int) -> Encoded:
        spans = answer_spans(record, self.template)
        ids, answers = self.codec.encode_marked(pieces, spans)
        texts = [(piece, own) for piece, own in zip(pieces, spans, strict=True) if not isinstance(piece, Marker)]
        said = [piece[begin:end] for piece, own in texts for begin, end in own]
        return Encoded(ids, size, answers, answer_bytes=text_bytes(said))


class TokenEncoder:
    """Ids of a token file as they are; its end id, if it has one, is put back at the end of every record.

    Raises DataError when the file holds an id that the vocabulary does not have.
    """

    spelled = 0

    def __init__(self, codec: Codec, source: TokensSpec) -> None:
        self.codec = codec
        self.vocab_size = source.vocab_size or codec.full_size
        check_ids(Path(source.path).expanduser(), source, self.vocab_size)
        self._end = np.array([] if source.end_id is None else [source.end_id], dtype=np.uint32)
        self.end_id = codec.full_id(Marker.END_OF_TEXT) if source.end_id is None else source.end_id
        self._source = source

    def of(self, source: Source) -> "TokenEncoder":
        """The encoder of another token file with the same vocabulary."""
        if source == self._source or not isinstance(source, TokensSpec):
            return self
        return TokenEncoder(self.codec, source.model_copy(update={"vocab_size": self.vocab_size}))

    def encode(self, records: Sequence[TokenRecord]) -> list[Encoded]:
        return [
            Encoded(np.concatenate([record.ids.astype(np.uint32), self._end]), self.codec.size(record.ids))
            for record in records
        ]
