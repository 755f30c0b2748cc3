"""Calls of the package `tokenizers`: its errors and the panics of its Rust code become ours; a runaway is stopped."""

import contextlib
import math
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from tokenizers import Encoding, Tokenizer

from stacklab.base.errors import TokenizerError
from stacklab.base.text import LONGEST, cut, shown

T = TypeVar("T")

PATIENCE = 60.0
"""Seconds that any call may take."""
SLOWEST = 10_000
"""Characters per second that every usable tokenizer exceeds by far: those of GPT-2, Llama and Qwen do a million."""


@contextlib.contextmanager
def as_tokenizer_error(what: str, mend: str = "") -> Iterator[None]:
    """Raises TokenizerError, `what (reason)` and how to mend it, for whatever the library raises."""
    try:
        yield
    except (TokenizerError, MemoryError):
        raise
    except BaseException as error:  # the library raises nothing narrower; a panic of its Rust code is no Exception
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise TokenizerError(f"{what} ({cut(' '.join(str(error).split()))}){mend}") from error


def encode_texts(
    tokenizer: Tokenizer, texts: Sequence[str], name: str, *, special: bool = False, offsets: bool = True
) -> list[Encoding]:
    """The texts as tokens, with special tokens where requested; without offsets it is faster.

    Patterns of a tokenizer.json may take time that grows with the square of a text, or exponentially, in which case the
    library itself gives up after ten million steps. Raises TokenizerError naming the tokenizer and the text for such a
    pattern, and for text that it cannot encode.
    """
    encode = tokenizer.encode_batch if offsets else tokenizer.encode_batch_fast
    seconds = PATIENCE + sum(map(len, texts)) / SLOWEST
    # In one text, the fault may be a hundred characters in; of several, the first stands for its place in the corpus.
    what = f"{name}: the tokenizer cannot encode {'the text' if len(texts) == 1 else 'texts from'} {_start(texts)}"
    with as_tokenizer_error(what):
        try:
            return _within(lambda: encode(list(texts), add_special_tokens=special), seconds=seconds)
        except TimeoutError:
            raise TokenizerError(
                f"{what} within {seconds:.0f} s: one of its patterns or models runs away; use another tokenizer"
            ) from None


def _start(texts: Sequence[str]) -> str:
    return shown(texts[0][:LONGEST]) if texts else "nothing"


def _within(call: Callable[[], T], *, seconds: float) -> T:
    """The result of a call that releases Python's lock. Raises TimeoutError, and leaves the call to its thread, which
    ends with the process.

    Seconds in which the process is stopped do not count.
    """
    outcome: list[T | BaseException] = []

    def run() -> None:
        try:
            outcome.append(call())
        except BaseException as error:  # noqa: BLE001 (raised below, by the thread that waits)
            outcome.append(error)

    worker = threading.Thread(target=run, daemon=True)
    worker.start()
    for _ in range(math.ceil(seconds)):
        worker.join(1.0)
        if not worker.is_alive():
            break
    if not outcome:
        raise TimeoutError
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]
