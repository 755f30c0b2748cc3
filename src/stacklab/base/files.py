"""Atomic files, which are whole or absent: written beside, flushed, renamed into place. And strict reading."""

import codecs
import contextlib
import errno
import gzip
import io
import itertools
import json
import os
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from stacklab.base.errors import DataError, DiskError


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically; half of a surrogate pair, which UTF-8 has not, as its escape, which JSON reads back.

    Raises DiskError.
    """
    write_atomically(path, lambda temporary: _write_bytes(temporary, text.encode(errors="backslashreplace")))


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON atomically. Raises DiskError, and ValueError for a number that is not finite."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a temporary file beside `path`, then rename it over `path`.

    Raises DiskError when the disk is full or the folder cannot be written; the old file, if any, is left as it was.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        write(temporary)
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        raise disk_error(path, error) from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)


def append_line(path: Path, text: str) -> None:
    """Append one line, as `write_text` writes it, and flush it to the disk. Raises DiskError.

    `read_jsonl` drops an incomplete last line.
    """
    try:
        with path.open("ab") as handle:
            handle.write(text.encode(errors="backslashreplace") + b"\n")
            handle.flush()
    except OSError as error:
        raise disk_error(path, error) from error


GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
"""How packed files begin. No text in UTF-8 begins so."""

MARKS = {codecs.BOM_UTF8: "UTF-8", codecs.BOM_UTF32_LE: "UTF-32", codecs.BOM_UTF32_BE: "UTF-32"} | {
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
"""Byte order marks, longer ones first: the mark of UTF-16 begins that of UTF-32."""

HEAD = 64
"""Bytes at the start of a file from which its encoding is recognised."""


@contextlib.contextmanager
def unpacked(path: Path) -> Iterator[BinaryIO]:
    """The content of a file, unpacked where it begins as gzip or zstd files do. Raises DataError for a damaged one.

    Where the file itself cannot be opened, OSError is raised as it is.
    """
    with path.open("rb") as handle:
        start = handle.read(len(ZSTD))
        handle.seek(0)
        kind = "gzip" if start.startswith(GZIP) else "zstd" if start == ZSTD else ""
        try:
            yield _stream(handle, kind)
        except (OSError, EOFError, zlib.error) as error:
            if not kind:
                raise
            raise DataError(f"{path}: not a whole {kind} file ({error}); fetch or pack it again") from error


def _stream(handle: BinaryIO, kind: str) -> BinaryIO:
    if kind == "gzip":
        return cast(BinaryIO, gzip.GzipFile(fileobj=handle))
    if kind == "zstd":
        import pyarrow

        return io.BufferedReader(pyarrow.CompressedInputStream(handle, "zstd"))
    return handle


def read_text(path: Path) -> str:
    """The text of a file in UTF-8; or in UTF-16 or UTF-32 where a byte order mark says so. The mark is no content.

    Packed files are unpacked. Raises DataError naming the first bad byte; OSError where the file cannot be opened.
    """
    with unpacked(path) as handle:
        return _decoded(handle.read(), path)


def in_utf8(data: bytes, path: Path) -> bytes:
    """The bytes of a text without its byte order mark; in UTF-8 where the mark is that of another encoding.

    Bytes that are not UTF-8 remain. Raises DataError for text that is not in the encoding of its mark, and for UTF-16
    without a mark.
    """
    if _encoding(data[:HEAD], path) == "UTF-8":
        return data.removeprefix(codecs.BOM_UTF8)
    return _decoded(data, path).encode()


def encoded_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """(line number, line in UTF-8 without its end) of a text file as `read_text` reads it.

    Whether a line is UTF-8 is left to the caller, who may go on after one that is not. UTF-16 and UTF-32 are read
    whole. Raises DataError.
    """
    with unpacked(path) as handle:
        head = handle.read(HEAD)
        # The rest of the line in which the head ends belongs to its last line.
        rest = handle.readline() if _encoding(head, path) == "UTF-8" else handle.read()
        first = io.BytesIO(in_utf8(head + rest, path))
        for number, line in enumerate(itertools.chain(first, handle), start=1):
            yield number, line.rstrip(b"\r\n")


def text_lines(path: Path) -> Iterator[tuple[int, str]]:
    """(line number, line without its end) of a text file. Raises DataError naming the line that is not UTF-8."""
    for number, line in encoded_lines(path):
        try:
            yield number, line.decode()
        except UnicodeDecodeError as error:
            raise DataError(f"{path}:{number}: not UTF-8 at byte {error.start} of the line") from error


def read_json(path: Path) -> Any:
    """Parse a JSON file, without a byte order mark that it may begin with.

    Raises DataError naming file, line and column, or why it cannot be read.
    """
    try:
        return json.loads(read_text(path))
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except json.JSONDecodeError as error:
        raise DataError(f"{path}:{error.lineno}:{error.colno}: not JSON ({error.msg})") from error
    except RecursionError as error:
        raise DataError(f"{path}: nested too deeply to be read") from error
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({error})") from error


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """Rows of our own append-only files. An incomplete last line (a crash while appending) is dropped.

    Raises DataError for any other line that is not JSON, and for a file that cannot be read.
    """
    rows = []
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    for number, line in enumerate(lines[:-1], start=1):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path}:{number}: not a JSON line") from error
        if not isinstance(row, dict):
            raise DataError(f"{path}:{number}: not an object; the file was edited or is damaged")
        rows.append(row)
    return rows


def read_record(path: Path) -> dict[str, Any]:
    """The object in one of our own JSON files. Raises DataError for anything else."""
    value = read_json(path)
    if not isinstance(value, dict):
        raise DataError(f"{path}: not an object; the file was edited or is damaged")
    return value


def _encoding(head: bytes, path: Path) -> str:
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


def _decoded(data: bytes, path: Path) -> str:
    encoding = _encoding(data[:HEAD], path)
    try:
        return data.decode("utf-8-sig" if encoding == "UTF-8" else encoding)
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not {encoding} at byte {error.start}; save it as UTF-8") from error


def is_file(path: Path) -> bool:
    """False also for names that the system cannot look up, such as those that are too long."""
    try:
        return path.is_file()
    except OSError:
        return False


def exists(path: Path) -> bool:
    """False also for names that the system cannot look up, such as those that are too long."""
    try:
        return path.exists()
    except OSError:
        return False


def disk_error(path: Path, error: OSError) -> DiskError:
    """The error to raise for a failed write, with what to do about it."""
    mend = "choose a shorter name" if error.errno == errno.ENAMETOOLONG else "free some space or choose another --out"
    return DiskError(f"{path}: cannot write ({error.strerror or error}); {mend}")


def _write_bytes(path: Path, data: bytes) -> None:
    with path.open("wb") as handle:
        handle.write(data)
        handle.flush()
        os.fsync(handle.fileno())
