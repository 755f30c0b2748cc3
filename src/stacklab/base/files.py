"""Atomic files, which are whole or absent: written beside, flushed, renamed into place. And strict reading."""

import contextlib
import errno
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from stacklab.base.errors import DataError, DiskError


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically. Raises DiskError."""
    write_atomically(path, lambda temporary: _write_bytes(temporary, text.encode()))


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
    """Append one line and flush it to the disk. Raises DiskError; `read_jsonl` drops an incomplete last line."""
    try:
        with path.open("ab") as handle:
            handle.write(text.encode() + b"\n")
            handle.flush()
    except OSError as error:
        raise disk_error(path, error) from error


def read_json(path: Path) -> Any:
    """Parse a JSON file, without a byte order mark that it may begin with.

    Raises DataError naming file, line and column, or why it cannot be read.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 at byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise DataError(f"{path}:{error.lineno}:{error.colno}: not JSON ({error.msg})") from error
    except RecursionError as error:
        raise DataError(f"{path}: nested too deeply to be read") from error
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({error})") from error


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """Rows of our own append-only files. An incomplete last line (a crash while appending) is dropped.

    Raises DataError for any other line that is not JSON.
    """
    rows = []
    lines = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines[:-1], start=1):
        try:
            rows.append(json.loads(line))
        except ValueError as error:
            raise DataError(f"{path}:{number}: not a JSON line") from error
    return rows


def iterate_lines(path: Path) -> Iterator[tuple[int, str]]:
    """(line number, text) of a UTF-8 file. Raises DataError naming the line of the first bad byte."""
    with path.open("rb") as handle:
        for number, line in enumerate(handle, start=1):
            try:
                yield number, line.decode("utf-8").rstrip("\r\n")
            except UnicodeDecodeError as error:
                raise DataError(f"{path}:{number}: not UTF-8 at byte {error.start} of the line") from error


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
