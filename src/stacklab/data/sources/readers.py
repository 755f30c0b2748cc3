"""Local files as rows, each with its place (`file:line`) for error messages."""

import csv
import io
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from stacklab.base.errors import DataError
from stacklab.base.files import encoded_lines, read_json, regular, unpacked, whole
from stacklab.base.text import cut, shown
from stacklab.data.record import PlacedRow, Row, RowError
from stacklab.data.sources.spec import PACKED, FileSpec

CSV_FIELD_LIMIT = 2**31 - 1  # the module's own default refuses a field of 128 KiB, which a long story exceeds
DELIMITERS = (",", ";", "\t", "|")
"""Those that are recognised, the first of them that the header holds."""
TAB = "\t"
DEEPEST = 200
"""Lists and objects within each other: Python follows a thousand, of which the callers of a reader take some."""


def rows_of(spec: FileSpec) -> Iterator[PlacedRow]:
    """(place, row) of a file in order; a txt file yields rows with the one key `text`.

    A row that is broken by itself is yielded as the RowError: a line that is not UTF-8 or not JSON, a CSV row of the
    wrong length. Raises DataError naming file and line for what ends the reading: an unknown format, a file that is
    damaged or not UTF-8 as a whole, a quote left open.
    """
    path = existing_file(spec.path, what="source")
    name = format_of(spec, path)
    if name == "txt":
        return _txt(path, spec.separator)
    return _csv(path, delimiter_of(spec, path)) if name in ("csv", "tsv") else READERS[name](path)


def whole_text(path: Path) -> str:
    """All of a text file, with every line ended by a line feed. Raises DataError naming the line of bad UTF-8."""
    return "".join(f"{line}\n" for _, line in _lines(path))


def format_of(spec: FileSpec, path: Path) -> str:
    """The format of the spec, else that of the file's ending. Raises DataError for an unknown ending."""
    name, known = spec.ending, (*READERS, "csv", "tsv", "txt")
    if name not in known:
        raise DataError(
            f"{path}: unknown format for the ending {'.' + name if name else ''!r}; set source.format to one of "
            f"{', '.join(known)} (also packed, with .gz or .zst after it)"
        )
    return name


def delimiter_of(spec: FileSpec, path: Path) -> str:
    """The character between two fields: the spec's, that of tsv, or the first known one in the header outside quotes;
    a comma for a header of one column."""
    if spec.delimiter is not None:
        return spec.delimiter
    if format_of(spec, path) == "tsv":
        return TAB
    header = next((line for _, line in _lines(path)), "")
    outside = "".join(header.split('"')[::2])
    return next((delimiter for delimiter in DELIMITERS if delimiter in outside), ",")


def existing_file(text: str, *, what: str) -> Path:
    """The path of an existing file. Raises DataError when there is no such file, or it is a folder."""
    path = Path(text).expanduser()
    if path.is_dir():
        names = sorted(entry.name for entry in path.iterdir() if entry.is_file())
        listed = ", ".join(names[:5]) or "it holds none"
        raise DataError(f"{path}: {what}.path is a folder, expected a file; name one in it ({listed})")
    if not path.exists():
        raise DataError(f"{path}: no such file (looked from {Path.cwd()}); correct {what}.path")
    return path


def _decoded(line: bytes, place: str) -> str:
    """Raises RowError for bytes that are not UTF-8."""
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise RowError(
            place, "not UTF-8", f"not UTF-8 at byte {error.start} of the line; save the file as UTF-8"
        ) from error


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    for number, line in encoded_lines(path):
        yield number, _decoded(line, f"{path}:{number}")


def _jsonl(path: Path) -> Iterator[PlacedRow]:
    for number, line in encoded_lines(path):
        if line.strip():
            place = f"{path}:{number}"
            try:
                yield place, _object(_parsed(_decoded(line, place), place), place)
            except RowError as error:
                yield place, error


def _parsed(line: str, place: str) -> Any:
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        message = f"not JSON ({error.msg}); expected one object per line"
        raise RowError(f"{place}:{error.colno}", "not JSON", message) from error
    except RecursionError as error:
        raise _too_deep(place) from error
    except ValueError as error:
        digits = sys.get_int_max_str_digits()
        raise RowError(place, "not JSON", f"a whole number of more than {digits:,} digits") from error
    if line.count("[") + line.count("{") > DEEPEST:
        _check_depth(value, place)
    return value


def _check_depth(value: Any, place: str) -> None:
    """Raises RowError for lists and objects within each other that other readers of the row could not follow."""
    level = [value]
    for _ in range(DEEPEST):
        level = [
            inner
            for item in level
            for inner in (item.values() if isinstance(item, dict) else item if isinstance(item, list) else ())
        ]
        if not level:
            return
    raise _too_deep(place)


def _too_deep(place: str) -> RowError:
    message = f"lists and objects within each other, more than {DEEPEST} deep"
    return RowError(place, "not JSON", message)


def _json(path: Path) -> Iterator[PlacedRow]:
    rows = read_json(path)
    if not isinstance(rows, list):
        raise DataError(f"{path}: expected a list of objects, found {_kind(rows)}; one object per line is format jsonl")
    for index, row in enumerate(rows):
        place = f"{path}: record {index + 1}"
        try:
            _check_depth(row, place)
            yield place, _object(row, place)
        except RowError as error:
            yield place, error


def _csv(path: Path, delimiter: str) -> Iterator[PlacedRow]:
    csv.field_size_limit(CSV_FIELD_LIMIT)
    reader = csv.reader((line + "\n" for _, line in _lines(path)), strict=True, delimiter=delimiter)
    try:
        header = next(reader, [])
        if repeated := [name for name, times in Counter(header).items() if times > 1]:
            raise DataError(f"{path}:1: the column {shown(repeated[0])} occurs twice in the header; rename one")
        start = reader.line_num + 1
        for fields in reader:
            place = f"{path}:{start}"
            if fields:
                fits = len(fields) == len(header)
                yield place, dict(zip(header, fields, strict=True)) if fits else _misfit(place, fields, header)
            start = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{path}:{reader.line_num}: not CSV ({error}); is a quote left open?") from error


def _misfit(place: str, fields: list[str], header: list[str]) -> RowError:
    message = f"found {len(fields)} fields, the header has {len(header)}"
    if len(header) == 1:
        message += "; if another character separates the fields, set source.delimiter"
    return RowError(place, "wrong number of fields", message)


def _parquet(path: Path) -> Iterator[PlacedRow]:
    import pyarrow.parquet
    from pyarrow.lib import ArrowException

    number = 0
    try:
        for batch in pyarrow.parquet.ParquetFile(_seekable(path)).iter_batches(batch_size=1024):
            for row in batch.to_pylist():
                number += 1
                yield f"{path}: row {number}", row
    except (ArrowException, OSError, ValueError, OverflowError) as error:
        # Texts that are not UTF-8 and dates outside the calendar are found when a row becomes Python's.
        what = f"{path}: not a readable parquet file after {number} rows"
        raise DataError(f"{what} ({cut(' '.join(str(error).split()))})") from error


def _seekable(path: Path) -> Path | io.BytesIO:
    """A packed file in memory, since a parquet file is read from its end."""
    if path.suffix.lower() not in PACKED:
        return regular(path)
    with unpacked(path) as handle:
        return io.BytesIO(whole(handle, path))


def _txt(path: Path, separator: str | None) -> Iterator[PlacedRow]:
    return _paragraphs(path) if separator is None else _separated(path, separator)


def _paragraphs(path: Path) -> Iterator[PlacedRow]:
    """Runs of lines that are not blank."""
    start, held = 1, list[str]()
    for number, line in _lines(path):
        if line.strip():
            start = start if held else number
            held.append(line)
        elif held:
            yield f"{path}:{start}", {"text": "\n".join(held)}
            held = []
    if held:
        yield f"{path}:{start}", {"text": "\n".join(held)}


def _separated(path: Path, separator: str) -> Iterator[PlacedRow]:
    """What stands between separators, without the line ends at its edges. The file is held in memory."""
    start = 1
    for part in "\n".join(line for _, line in _lines(path)).split(separator):
        if part.strip():
            skipped = len(part) - len(part.lstrip("\n"))
            yield f"{path}:{start + skipped}", {"text": part.strip("\n")}
        start += part.count("\n") + separator.count("\n")


def _object(row: Any, place: str) -> Row:
    if not isinstance(row, dict):
        raise RowError(place, "not an object", f"expected an object with named columns, found {_kind(row)}")
    return row


def _kind(value: Any) -> str:
    return {dict: "an object", list: "a list", str: "a text", type(None): "null"}.get(type(value), "a bare value")


READERS: dict[str, Callable[[Path], Iterator[PlacedRow]]] = {
    "jsonl": _jsonl,
    "ndjson": _jsonl,
    "json": _json,
    "parquet": _parquet,
}
