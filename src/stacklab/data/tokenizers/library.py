"""Calls of the package `tokenizers`: its errors and the panics of its Rust code become ours; a runaway is stopped."""

import contextlib
import functools
import json
import math
import resource
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from tokenizers import Encoding, Tokenizer

from stacklab.base.errors import TokenizerError
from stacklab.base.text import LONGEST, cut, shown

T = TypeVar("T")

PATIENCE = 60.0
"""Seconds that any call may take."""
SLOWEST = 10_000
"""Characters per second that every usable tokenizer exceeds by far: those of GPT-2, Llama and Qwen do a million."""

HARMLESS = frozenset(
    {"NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "BertNormalizer", "ByteLevel", "Sequence", "Strip"}
    | {"BertPreTokenizer", "Digits", "Metaspace", "Punctuation", "Whitespace", "WhitespaceSplit", "UnicodeScripts"}
    | {"BertProcessing", "RobertaProcessing", "TemplateProcessing", "BPEDecoder", "ByteFallback", "Fuse", "WordPiece"}
)
"""Parts of a tokenizer whose time and memory grow with the text alone."""
PARTS = ("normalizer", "pre_tokenizer", "post_processor", "decoder")
PROBE = ("Once upon a time, there were 3 words; naïve ones.\n\n    def f(x): return {'a': x}  # 42\n") * 100
PROBE += "".join(letter * 3_000 for letter in ("a", " ", "="))
PROBE_BYTES = 4 * 2**30
"""Address space of the process of a probe; a vocabulary of a million tokens takes a tenth."""


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


def check_probe(text: str, name: str) -> None:
    """Raises TokenizerError for the text of a tokenizer.json from elsewhere that cannot encode and decode PROBE within
    PATIENCE and PROBE_BYTES, tried in a process of its own, since the library aborts where memory is short.

    Tokenizers of HARMLESS parts alone, and of replacements that do not lengthen a text, are not tried.
    """
    if fault := _fault_of(text):
        raise TokenizerError(f"{name}: the tokenizer cannot encode a text of {len(PROBE):,} characters: {fault}")


@functools.lru_cache(maxsize=8)
def _fault_of(text: str) -> str:
    tree = json.loads(text)
    if all(_is_harmless(tree.get(part)) for part in PARTS):
        return ""
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", __name__],
            input=text,
            text=True,
            encoding="utf-8",
            capture_output=True,
            check=False,
            timeout=PATIENCE,
        )
    except subprocess.TimeoutExpired:
        return f"not done within {PATIENCE:.0f} s"
    # Rust writes why it panicked or aborted at the start, before where.
    why = [line for line in done.stderr.splitlines() if line.strip() and not line.startswith("thread ")]
    return cut(why[0]) if done.returncode and why else f"exit code {done.returncode}" if done.returncode else ""


def _is_harmless(part: Any) -> bool:
    match part:
        case None | str() | int() | float():
            return True
        case list():
            return all(map(_is_harmless, part))
        case {"type": "Replace", "pattern": {"String": str(pattern)}, "content": str(content)}:
            return 0 < len(pattern) >= len(content)
        case {"type": "Prepend", "prepend": str(prepend)}:
            return len(prepend) == 1
        case {"type": str(kind), **others}:
            return kind in HARMLESS and all(map(_is_harmless, others.values()))
        case _:
            return "type" not in part and all(map(_is_harmless, part.values()))


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


def _probe(text: str) -> None:
    """The process of a probe. Characters without an id are no fault: the texts of the tokenizer may have none."""
    resource.setrlimit(resource.RLIMIT_AS, (PROBE_BYTES, PROBE_BYTES))
    tokenizer = Tokenizer.from_str(text)
    with contextlib.suppress(Exception):  # which a panic is not
        tokenizer.decode(tokenizer.encode(PROBE).ids, skip_special_tokens=False)


if __name__ == "__main__":
    _probe(sys.stdin.read())
