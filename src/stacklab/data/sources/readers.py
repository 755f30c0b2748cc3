"""Local files as rows, each with its place (`file:line`) for error messages."""

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from stacklab.base.errors import DataError
from stacklab.base.files import iterate_lines, read_json
from stacklab.data.spec import FileSpec

Row = dict[str, Any]
PlacedRow = tuple[str, Row]

CSV_FIELD_LIMIT = 2**31 - 1  # the module's own default refuses a field of 128 KiB, which a long story exceeds


def rows_of(spec: FileSpec) -> Iterator[PlacedRow]:
    """(place, row) of a file in order; a txt file yields rows with the one key `text`.

    Raises DataError naming file and line: unknown format, bad UTF-8, broken JSON, a CSV row of the wrong length.
    """
    path = existing_file(spec.path, what="source")
    name = format_of(spec, path)
    return _txt(path, spec.separator) if name == "txt" else READERS[name](path)


def whole_text(path: Path) -> str:
    """All of a text file, with every line ended by a line feed. Raises DataError naming the line of bad UTF-8."""
    return "".join(f"{line}\n" for _, line in _lines(path))


def format_of(spec: FileSpec, path: Path) -> str:
    """The format of the spec, else that of the file's ending. Raises DataError for an unknown ending."""
    name = spec.format or path.suffix.lower().lstrip(".")
    if name != "txt" and name not in READERS:
        raise DataError(
            f"{path}: unknown format for the ending {path.suffix!r}; "
            f"set source.format to one of {', '.join((*READERS, 'txt'))}"
        )
    return name


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


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    for number, line in iterate_lines(path):
        yield number, line.removeprefix("\ufeff") if number == 1 else line


def _jsonl(path: Path) -> Iterator[PlacedRow]:
    for number, line in _lines(path):
        if not line.strip():
            continue
        place = f"{path}:{number}"
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(f"{place}:{error.colno}: not JSON ({error.msg}); expected one object per line") from error
        yield place, _object(row, place)


def _json(path: Path) -> Iterator[PlacedRow]:
    rows = read_json(path)
    if not isinstance(rows, list):
        raise DataError(f"{path}: expected a list of objects, found {_kind(rows)}; one object per line is format jsonl")
    for index, row in enumerate(rows):
        place = f"{path}: record {index + 1}"
        yield place, _object(row, place)


def _csv(path: Path) -> Iterator[PlacedRow]:
    csv.field_size_limit(CSV_FIELD_LIMIT)
    reader = csv.reader((line + "\n" for _, line in _lines(path)), strict=True)
    try:
        header = next(reader, [])
        for name in header:
            if header.count(name) > 1:
                raise DataError(f"{path}:1: the column {name!r} occurs twice in the header; rename one")
        start = reader.line_num + 1
        for fields in reader:
            if fields and len(fields) != len(header):
                raise DataError(f"{path}:{start}: found {len(fields)} fields, the header has {len(header)}")
            if fields:
                yield f"{path}:{start}", dict(zip(header, fields, strict=True))
            start = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{path}:{reader.line_num}: not CSV ({error}); is a quote left open?") from error


def _parquet(path: Path) -> Iterator[PlacedRow]:
    import pyarrow.parquet
    from pyarrow.lib import ArrowException

    try:
        file = pyarrow.parquet.ParquetFile(path)
        number = 0
        for batch in file.iter_batches(batch_size=1024):
            for row in batch.to_pylist():
                number += 1
                yield f"{path}: row {number}", row
    except (ArrowException, OSError) as error:
        raise DataError(f"{path}: not a readable parquet file ({' '.join(str(error).split())})") from error


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
        raise DataError(f"{place}: expected an object with named columns, found {_kind(row)}")
    return row


def _kind(value: Any) -> str:
    return {dict: "an object", list: "a list", str: "a text", type(None): "null"}.get(type(value), "a bare value")


READERS: dict[str, Callable[[Path], Iterator[PlacedRow]]] = {
    "jsonl": _jsonl,
    "json": _json,
    "csv": _csv,
    "parquet": _parquet,
}
