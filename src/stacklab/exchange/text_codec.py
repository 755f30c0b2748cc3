"""Text to ids and back, for models that were not trained here."""

from collections.abc import Callable, Iterable

from stacklab.base.errors import DataError
from stacklab.base.text import shown
from stacklab.data.tokenizers.library import as_tokenizer_error, encode_texts
from stacklab.exchange.portable import Portable

ANCHOR = "a"
LONGEST_ID = 20
"""In digits. Python refuses to read numbers of thousands of digits."""


def encoder(model: Portable, *, special: bool = True) -> Callable[[str], list[int]]:
    """From text to ids, start marker included unless there are to be no special tokens; without a tokenizer, the text
    lists ids in decimal."""
    if model.tokenizer is None:
        return lambda text: _numbers(text, model.spec.vocab_size or 0)
    tokenizer, name = model.tokenizer.load(), model.tokenizer.name
    return lambda text: list(encode_texts(tokenizer, [text], name, special=special)[0].ids)


def decoder(model: Portable) -> Callable[[Iterable[int]], str]:
    """From ids to the text that they add to the text before them."""
    if model.tokenizer is None:
        return lambda ids: "".join(f" {token}" for token in ids)
    tokenizer, name = model.tokenizer.load(), model.tokenizer.name

    def text_of(ids: list[int]) -> str:
        with as_tokenizer_error(f"{name}: the tokenizer cannot decode ids"):
            return str(tokenizer.decode(ids, skip_special_tokens=False))

    anchor = encode_texts(tokenizer, [ANCHOR], name)[0].ids[-1:]
    known = len(text_of(anchor))
    # Some decoders drop the blank before the first word of a text; these ids go on after one.
    return lambda ids: text_of([*anchor, *ids])[known:]


def _numbers(text: str, vocab_size: int) -> list[int]:
    words = text.split()
    if not all(
        word.isascii() and word.isdigit() and len(word) < LONGEST_ID and int(word) < vocab_size for word in words
    ):
        raise DataError(
            f"prompt {shown(text)}: this model has no tokenizer; write its ids, 0 to {vocab_size - 1}, separated by "
            "blanks, or import it with --tokenizer"
        )
    return [int(word) for word in words]
