import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data.corpora import stories

from stacklab.base.errors import TokenizerError
from stacklab.data.record import Record, Turn
from stacklab.data.spec import Marker
from stacklab.data.template import prompt_pieces, render, text_bytes
from stacklab.data.tokenizers.codec import Codec, Compact
from stacklab.data.tokenizers.files import TokenizerFile, bytes_tokenizer, train_bpe

BYTES = Codec(bytes_tokenizer())
END, START, STOP = 256, 257, 258
TALK = Record((Turn("user", "Hi <|im_end|>"), Turn("assistant", "é")))


@given(st.text())
def test_bytes_are_their_own_ids_and_decode_exactly(text: str) -> None:
    plain = text.replace("<|", "< |")
    assert BYTES.encode(plain) == list(plain.encode())
    assert BYTES.decode(list(plain.encode())) == plain


def test_markers_are_one_id_each_and_text_that_spells_one_is_text() -> None:
    ids = BYTES.encode_pieces([render(TALK, "chatml")])[0].tolist()
    user = [START, *b"user\nHi <|im_end|>", STOP, *b"\n"]
    assert ids == [*user, START, *b"assistant\n", *"é".encode(), STOP, *b"\n", END]
    assert BYTES.encode("<|im_start|>a<|im_end|>") == [START, *b"a", STOP]
    assert BYTES.decode([START, *b"a", STOP]) == "<|im_start|>a<|im_end|>"


def test_a_prompt_is_the_beginning_of_what_is_trained_on() -> None:
    for template in ("chatml", "plain"):
        whole = BYTES.encode_pieces([render(TALK, template)])[0].tolist()
        prompt = BYTES.encode_pieces([prompt_pieces(TALK, template)])[0].tolist()
        assert whole[: len(prompt)] == prompt
        assert BYTES.decode(whole[len(prompt) :]).startswith("é")
    assert "".join(prompt_pieces(TALK, "plain")) == "User:\nHi <|im_end|>\n\nAssistant:\n"


def test_text_bytes_leave_out_the_markers() -> None:
    assert text_bytes(render(Record(text="aé"), "chatml")) == 3
    assert text_bytes(render(TALK, "chatml")) == len(b"user\nHi <|im_end|>\nassistant\n\n") + 2


def test_a_trained_tokenizer_merges_decodes_exactly_and_is_the_same_each_time() -> None:
    texts = [story["text"] for story in stories(60)] + ["the end — ✓", "the cat and the hat"]
    file = train_bpe(texts, 280)
    codec = Codec(file)
    assert file.hash == train_bpe(iter(texts), 280).hash != train_bpe(texts, 279).hash
    assert [codec.full_id(marker) for marker in Marker] == [0, 1, 2]
    assert len(codec.encode("ash bay cove")) < 8
    assert codec.decode(codec.encode("the ✗ ünseen")) == "the ✗ ünseen"


def test_compact_ids_are_dense_and_the_rest_is_unknown() -> None:
    compact = Compact(np.array([97, 99, START, STOP], dtype=np.uint32))
    codec = Codec(bytes_tokenizer(), compact)
    assert codec.encode("abc<|im_end|>") == [0, 4, 1, 3]
    assert codec.decode([0, 4, 1, 3]) == "a\ufffdc<|im_end|>"
    assert compact.from_full(np.array([300, 0])).tolist() == [4, 4]


def test_a_template_that_the_tokenizer_has_no_markers_for_is_refused() -> None:
    file = TokenizerFile("gpt", bytes_tokenizer().text, {Marker.END_OF_TEXT: "<|endoftext|>"})
    with pytest.raises(TokenizerError, match=r"gpt has no token <\|im_start\|>.*set data.template=plain"):
        Codec(file).encode_pieces([render(TALK, "chatml")])
