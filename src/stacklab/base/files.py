"""Atomic files, which are whole or absent: written beside, flushed, renamed into place. And strict reading."""

import contextlib
import errno
import io
import itertools
import json
import os
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from stacklab.base.encoding import HEAD, decoded, encoding_of, in_utf8, packing, unpacking
from stacklab.base.errors import DataError
from stacklab.base.folders import check_target, disk_error, kind_of, write_atomically


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically; half of a surrogate pair, which UTF-8 has not, as its escape, which JSON reads back.

    Raises DiskError.
    """
    write_bytes(path, text.encode(errors="backslashreplace"))


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON atomically. Raises DiskError, and ValueError for a number that is not finite."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_bytes(path: Path, data: bytes) -> None:
    """Write bytes atomically. Raises DiskError."""
    write_atomically(path, lambda temporary: _write(temporary, data))


def append_line(path: Path, text: str) -> None:
    """Append one line, as `write_text` writes it, and flush it to the disk. Raises DiskError, for a link too.

    `read_jsonl` drops an incomplete last line.
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(path, flags, 0o644), "ab") as handle:
            check_target(path, stat.S_IFREG)
            handle.write(text.encode(errors="backslashreplace") + b"\n")
    except OSError as error:
        check_target(path, stat.S_IFREG)
        raise disk_error(path, error) from error


def open_new(path: Path) -> BinaryIO:
    """Open a file that does not exist yet for writing, in a folder that `write_folder` fills. Raises OSError."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644), "wb")


MOST_TEXT = 2**31
"""Bytes of a file that is held in memory whole, unpacked: 2 GiB."""

PIECE = 2**18
"""Bytes that are read at a time of such a file, whose packed size says nothing of its content."""


def open_regular(path: Path, *, most_bytes: int | None = None) -> io.BufferedReader:
    """Open a regular file for reading its bytes, a link to one too. No other function opens a file that it reads.

    Raises DataError for a pipe, a device or a socket, whose content may never come or never end, and for a file of more
    than `most_bytes`; OSError where there is no such file, it is a folder, or it may not be read.
    """
    # Looked at before it is opened, since opening alone wakes the writer of a pipe and may act on a device.
    _check_regular(path, path.stat(), most_bytes)
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        _check_regular(path, os.fstat(handle), most_bytes)
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def regular(path: Path, *, most_bytes: int | None = None) -> Path:
    """The path, for a library that opens files itself; raises as `open_regular`."""
    open_regular(path, most_bytes=most_bytes).close()
    return path


def read_bytes(path: Path, *, most_bytes: int | None = MOST_TEXT) -> bytes:
    """The content of a file. Raises as `open_regular`."""
    with open_regular(path, most_bytes=most_bytes) as handle:
        return handle.read()


def _check_regular(path: Path, status: os.stat_result, most_bytes: int | None) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(status.st_mode):
        raise DataError(f"{path}: is {kind_of(status.st_mode)}, not a regular file; copy its content into one")
    if most_bytes is not None and status.st_size > most_bytes:
        raise _too_large(path, most_bytes)


def _too_large(path: Path, most_bytes: int) -> DataError:
    return DataError(f"{path}: larger than {most_bytes / 2**20:,.0f} MiB, the most that is read of such a file")


@contextlib.contextmanager
def unpacked(path: Path) -> Iterator[BinaryIO]:
    """The content of a file, unpacked where it begins as gzip or zstd files do. Raises DataError for a damaged one.

    Raises as `open_regular` where the file itself cannot be opened.
    """
    with open_regular(path) as handle:
        kind = packing(handle.read(HEAD))
        handle.seek(0)
        try:
            yield unpacking(handle, kind)
        except (OSError, EOFError, zlib.error) as error:
            if not kind:
                raise
            raise DataError(f"{path}: not a whole {kind} file ({error}); fetch or pack it again") from error


def read_text(path: Path) -> str:
    """The text of a file in UTF-8; or in UTF-16 or UTF-32 where a byte order mark says so. The mark is no content.

    Packed files are unpacked. Raises DataError naming the first bad byte, and for more than MOST_TEXT bytes; raises as
    `open_regular` where the file cannot be opened.
    """
    with unpacked(path) as handle:
        return decoded(whole(handle, path), path)


def whole(handle: BinaryIO, path: Path, *, most_bytes: int = MOST_TEXT) -> bytes:
    """What remains of an open file, which may be packed. Raises DataError for more than `most_bytes`."""
    data = bytearray()
    while piece := handle.read(PIECE):
        data += piece
        if len(data) > most_bytes:
            raise _too_large(path, most_bytes)
    return bytes(data)


def encoded_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """(line number, line in UTF-8 without its end) of a text file as `read_text` reads it.

    Whether a line is UTF-8 is left to the caller, who may go on after one that is not. UTF-16 and UTF-32 are read
    whole. Raises DataError.
    """
    with unpacked(path) as handle:
        head = handle.read(HEAD)
        # The rest of the line in which the head ends belongs to its last line.
        rest = handle.readline() if encoding_of(head, path) == "UTF-8" else whole(handle, path)
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
        lines = read_bytes(path).split(b"\n")
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


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as handle:
        handle.write(data)
        handle.flush()
        os.fsync(handle.fileno())
