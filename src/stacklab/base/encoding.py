"""How the text of a file is packed and encoded, which its first bytes say."""

import codecs
import gzip
import io
from pathlib import Path
from typing import BinaryIO, cast

from stacklab.base.errors import DataError

GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
"""How packed files begin. No text in UTF-8 begins so."""

MARKS = {codecs.BOM_UTF8: "UTF-8", codecs.BOM_UTF32_LE: "UTF-32", codecs.BOM_UTF32_BE: "UTF-32"} | {
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
"""Byte order marks, longer ones first: the mark of UTF-16 begins that of UTF-32."""

HEAD = 64
"""Bytes at the start of a file from which its encoding is recognised."""


def packing(head: bytes) -> str:
    """`gzip` or `zstd` for a file that begins so, empty for any other."""
    return "gzip" if head.startswith(GZIP) else "zstd" if head.startswith(ZSTD) else ""


def unpacking(handle: BinaryIO, kind: str) -> BinaryIO:
    """The content of an open file that is packed as `packing` says."""
    if kind == "gzip":
        return cast(BinaryIO, gzip.GzipFile(fileobj=handle))
    if kind == "zstd":
        import pyarrow

        return io.BufferedReader(pyarrow.CompressedInputStream(handle, "zstd"))
    return handle


def in_utf8(data: bytes, path: Path) -> bytes:
    """The bytes of a text without its byte order mark; in UTF-8 where the mark is that of another encoding.

    Bytes that are not UTF-8 remain. Raises DataError for text that is not in the encoding of its mark, and for UTF-16
    without a mark.
    """
    if encoding_of(data[:HEAD], path) == "UTF-8":
        return data.removeprefix(codecs.BOM_UTF8)
    return decoded(data, path).encode()


def encoding_of(head: bytes, path: Path) -> str:
    """The encoding of a text that begins with `head`. Raises DataError for UTF-16 that no mark announces."""
    for mark, name in MARKS.items():
        if head.startswith(mark):
            return name
    for name, zeros, letters in (("UTF-16LE", head[1::2], head[::2]), ("UTF-16BE", head[::2], head[1::2])):
        if zeros.count(0) > len(head) / 4 and 0 not in letters:
            raise DataError(
                f"{path}: looks like {name} without a byte order mark; convert it to UTF-8 (iconv -f {name} -t UTF-8)"
            )
    return "UTF-8"


def decoded(data: bytes, path: Path) -> str:
    """The text of all bytes of a file. Raises DataError naming the first bad byte."""
    encoding = encoding_of(data[:HEAD], path)
    try:
        return data.decode("utf-8-sig" if encoding == "UTF-8" else encoding)
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not {encoding} at byte {error.start}; save it as UTF-8") from error
