"""Text to ids and back, for models that were not trained here."""

from collections.abc import Callable, Iterable

from stacklab.base.errors import DataError
from stacklab.base.text import shown
from stacklab.exchange.portable import Portable

ANCHOR = "a"
LONGEST_ID = 20
"""In digits. Python refuses to read numbers of thousands of digits."""


def encoder(model: Portable) -> Callable[[str], list[int]]:
    """From text to ids, start marker included; without a tokenizer, the text lists ids in decimal."""
    if model.tokenizer is None:
        return lambda text: _numbers(text, model.spec.vocab_size or 0)
    tokenizer = model.tokenizer.load()
    return lambda text: [int(token) for token in tokenizer.encode(text).ids]


def decoder(model: Portable) -> Callable[[Iterable[int]], str]:
    """From ids to the text that they add to the text before them."""
    if model.tokenizer is None:
        return lambda ids: "".join(f" {token}" for token in ids)
    tokenizer = model.tokenizer.load()
    anchor = tokenizer.encode(ANCHOR, add_special_tokens=False).ids[-1:]
    known = len(tokenizer.decode(anchor, skip_special_tokens=False))
    # Some decoders drop the blank before the first word of a text; these ids go on after one.
    return lambda ids: str(tokenizer.decode([*anchor, *ids], skip_special_tokens=False))[known:]


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
