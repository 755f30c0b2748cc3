"""Files of sequences that others made: inputs and targets of each, checked before anything uses them."""

import hashlib
import json
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from stacklab.base.errors import DataError
from stacklab.base.files import exists, open_regular, regular, text_lines
from stacklab.base.text import cut, shown
from stacklab.tasks.batch import IGNORE, Ids, TaskBatch, no_targets
from stacklab.tasks.parts.fields import MOST

FOREIGN_IGNORE = -100
"""The target of positions without one in torch's convention; IGNORE is read as well."""
MOST_POSITIONS = 2**28
"""Of a part, padding included: 2 GiB for each of its arrays."""
TARGETS = ("targets", "labels")
FORMS = "npz, jsonl and parquet files, and folders with inputs.npy and targets.npy"
_NUMBER = re.compile(r"-?\d{1,18}")

Raw = tuple[str, Any, Any, Any]
"""Place, inputs, targets and slices (None where there are none) of one sequence, unchecked."""


class Sequences(NamedTuple):
    """The sequences of a part, one after the other: each array but `length_N` is [all positions].

    slices: of scored positions, IGNORE elsewhere; None where the files state none.
    """

    tokens: Ids
    targets: Ids
    slices: Ids | None
    length_N: Ids

    @property
    def hash(self) -> str:
        """64 hex digits of the content."""
        digest = hashlib.sha256()
        for array in self:
            digest.update(b"-" if array is None else np.ascontiguousarray(array, dtype="<i8").tobytes() + b"/")
        return digest.hexdigest()

    def padded(self, length: int, *, by_length: bool) -> TaskBatch:
        """[N, length], filled up on the right with id 0 and no target. by_length: without slices of the files, the
        length of a sequence is its slice."""
        there_NT = np.arange(length) < self.length_N[:, None]
        tokens_NT = np.zeros(there_NT.shape, dtype=np.int64)
        targets_NT, slice_NT = no_targets(tokens_NT), no_targets(tokens_NT)
        tokens_NT[there_NT], targets_NT[there_NT] = self.tokens, self.targets
        if self.slices is not None:
            slice_NT[there_NT] = self.slices
        else:
            number_N1 = self.length_N[:, None] if by_length else np.zeros_like(self.length_N)[:, None]
            slice_NT = np.where(targets_NT == IGNORE, IGNORE, number_N1)
        return TaskBatch(tokens_NT, targets_NT, slice_NT)


def slice_names(parts: Sequence[Sequences]) -> dict[int, str]:
    """The name of each slice: those of the files, else lengths where they differ.

    Raises DataError when the files of some parts state slices and those of others do not.
    """
    if len({part.slices is None for part in parts}) > 1:
        raise DataError("the files of some parts have slices and those of others none; give all or none of them")
    if parts[0].slices is not None:
        numbers = {int(n) for part in parts if part.slices is not None for n in np.unique(part.slices)} - {IGNORE}
        return {number: f"slice={number}" for number in sorted(numbers)}
    lengths = sorted({int(length) for part in parts for length in np.unique(part.length_N)})
    return {0: "all"} if len(lengths) == 1 else {length: f"length={length}" for length in lengths}


def read_sequences(paths: Sequence[str], *, ids: int = MOST) -> Sequences:
    """The sequences of files, in order; `ids` is the number of ids that they may have.

    A file holds `inputs`, `targets` (or `labels`) and possibly `slices`; -1 and -100 are positions without a target.
    Raises DataError with file and place: another form, shapes that do not fit, no whole numbers, ids out of range, no
    target at all.
    """
    flat: list[tuple[Ids, Ids, Ids | None]] = []
    positions = 0
    for path in paths:
        before = len(flat)
        for place, inputs, targets, slices in _rows(Path(path).expanduser()):
            flat.append(_checked(place, inputs, targets, slices, ids))
            positions += len(flat[-1][0])
            if positions > MOST_POSITIONS:
                raise DataError(f"{place}: more than {MOST_POSITIONS:,} positions in one part; use fewer sequences")
        if len(flat) == before:
            raise DataError(f"{path}: holds no sequence")
    length_N = np.array([len(tokens) for tokens, _, _ in flat], dtype=np.int64)
    if length_N.max() * length_N.size > MOST_POSITIONS:
        raise DataError(
            f"{paths[0]}: {length_N.size:,} sequences padded to {length_N.max():,} positions are more than "
            f"{MOST_POSITIONS:,}; leave out the longest"
        )
    tokens, targets = (np.concatenate([row[column] for row in flat]) for column in (0, 1))
    if (targets == IGNORE).all():
        raise DataError(f"{', '.join(paths)}: no position has a target; {IGNORE} and {FOREIGN_IGNORE} mean none")
    with_slices = [slices for _, _, slices in flat if slices is not None]
    if with_slices and len(with_slices) < len(flat):
        raise DataError(f"{', '.join(paths)}: some sequences have slices and others none; give all or none of them")
    slices = np.where(targets == IGNORE, IGNORE, np.concatenate(with_slices)) if with_slices else None
    if slices is not None and (slices == IGNORE).all():
        raise DataError(f"{', '.join(paths)}: no position with a target has a slice of 0 or more, so none is scored")
    return Sequences(tokens, targets, slices, length_N)


def _checked(place: str, inputs: Any, targets: Any, slices: Any, ids: int) -> tuple[Ids, Ids, Ids | None]:
    tokens, answers = _numbers(inputs, place, "inputs"), _numbers(targets, place, "targets")
    if not len(tokens):
        raise DataError(f"{place}: inputs is empty")
    if len(tokens) != len(answers):
        raise DataError(f"{place}: {len(tokens)} inputs and {len(answers)} targets; there is one target per position")
    answers = np.where(answers == FOREIGN_IGNORE, IGNORE, answers)
    for name, numbers, least in (("inputs", tokens, 0), ("targets", answers, IGNORE)):
        wrong = (numbers < least) | (numbers >= ids)
        if wrong.any():
            at = int(wrong.argmax())
            none = f", {IGNORE} or {FOREIGN_IGNORE} for none" if name == "targets" else ""
            raise DataError(f"{place}: {name}[{at}] is {numbers[at]}, expected an id from 0 to {ids - 1}{none}")
    if slices is None:
        return tokens, answers, None
    if isinstance(slices, int | np.integer) and not isinstance(slices, bool):
        slices = [int(slices)] * len(tokens)
    numbers = _numbers(slices, place, "slices")
    if len(numbers) != len(tokens):
        raise DataError(
            f"{place}: {len(tokens)} inputs and {len(numbers)} slices; give one number, or one per position"
        )
    if numbers.min() < IGNORE or numbers.max() >= MOST:
        raise DataError(f"{place}: slices are numbers from 0 to {MOST - 1}, {IGNORE} where a position is not scored")
    return tokens, answers, numbers


def _numbers(value: Any, place: str, name: str) -> Ids:
    """[T] of a row of an array, a list of whole numbers, or a text of them with blanks between."""
    if isinstance(value, np.ndarray):
        return value.astype(np.int64)
    if isinstance(value, str):
        wrong = next((word for word in value.split() if not _NUMBER.fullmatch(word)), None)
        if wrong is not None:
            raise DataError(f"{place}: {name} holds {shown(wrong)}, expected whole numbers with blanks between")
        return np.array([int(word) for word in value.split()], dtype=np.int64)
    if not isinstance(value, list):
        raise DataError(f"{place}: {name} is {shown(value)}, expected a list of whole numbers")
    odd = next((item for item in value if type(item) is not int or abs(item) >= 2**62), None)
    if odd is not None:
        raise DataError(f"{place}: {name} holds {shown(odd)}, expected whole numbers")
    return np.array(value, dtype=np.int64)


def _rows(path: Path) -> Iterator[Raw]:
    if path.is_dir():
        return _from_arrays(path, _npy_folder(path))
    if not exists(path):
        raise DataError(f"{path}: no such file (looked from {Path.cwd()}); correct the path")
    ending = path.suffix.lower()
    if ending == ".npz":
        return _from_arrays(path, _npz(path))
    if ending in (".jsonl", ".ndjson"):
        return _from_rows(_jsonl(path))
    if ending == ".parquet":
        return _from_rows(_parquet(path))
    raise DataError(f"{path}: unknown ending {path.suffix!r}; sequences are read from {FORMS}")


def _from_arrays(path: Path, arrays: dict[str, np.ndarray]) -> Iterator[Raw]:
    inputs, targets = arrays["inputs"], arrays[_targets_of(arrays, str(path))]
    slices = arrays.get("slices")
    for name, array in arrays.items():
        if array.dtype.kind not in "iu" or array.dtype.itemsize > 8:
            raise DataError(f"{path}: {name} has the type {array.dtype}, expected whole numbers")
    if inputs.ndim != 2 or inputs.shape != targets.shape:
        raise DataError(
            f"{path}: inputs {list(inputs.shape)} and targets {list(targets.shape)}; expected one shape, [sequences, "
            "positions]"
        )
    if slices is not None and slices.shape not in (inputs.shape, inputs.shape[:1]):
        raise DataError(f"{path}: slices {list(slices.shape)}; expected [sequences] or [sequences, positions]")
    if inputs.size > MOST_POSITIONS:
        raise DataError(f"{path}: more than {MOST_POSITIONS:,} positions in one part; use fewer sequences")
    for row in range(len(inputs)):
        yield f"{path}: sequence {row + 1}", inputs[row], targets[row], None if slices is None else slices[row]


def _targets_of(names: Iterable[str], place: str) -> str:
    names = list(names)
    present = [name for name in TARGETS if name in names]
    if "inputs" not in names or len(present) != 1:
        listed = cut(", ".join(map(str, names))) or "nothing"
        raise DataError(f"{place}: has {listed}; expected inputs and targets (or labels), and perhaps slices")
    return present[0]


def _npz(path: Path) -> dict[str, np.ndarray]:
    """The arrays that are read of an archive; their sizes are checked before memory is taken."""
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive:
            members = {name.removesuffix(".npy"): name for name in archive.namelist()}
            wanted = {name: members[name] for name in ("inputs", *TARGETS, "slices") if name in members}
            _targets_of(members, str(path))
            for name, member in wanted.items():
                with archive.open(member) as handle:
                    _check_header(handle, path, name)
        with open_regular(path) as file, np.load(file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in wanted}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise DataError(f"{path}: not a readable npz file of numbers ({_line(error)})") from error


def _check_header(handle: Any, path: Path, name: str) -> None:
    version = np.lib.format.read_magic(handle)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(handle)
    if dtype.kind not in "iu" or int(np.prod(shape, dtype=object)) > MOST_POSITIONS:
        raise DataError(
            f"{path}: {name} {list(shape)} of type {dtype}; expected up to {MOST_POSITIONS:,} whole numbers"
        )


def _npy_folder(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a folder as MAD writes it."""
    arrays = {}
    for name in ("inputs", *TARGETS, "slices"):
        file = path / f"{name}.npy"
        if not file.exists():
            continue
        try:
            arrays[name] = np.load(regular(file), mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise DataError(f"{file}: not a readable npy file of numbers ({_line(error)})") from error
    _targets_of(arrays, f"{path} (a folder)")
    return arrays


def _from_rows(rows: Iterable[tuple[str, dict[str, Any]]]) -> Iterator[Raw]:
    for place, row in rows:
        yield place, row.get("inputs"), row[_targets_of(row, place)], row.get("slices")


def _jsonl(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, text in text_lines(path):
        if not text.strip():
            continue
        place = f"{path}:{number}"
        try:
            row = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{place}: not JSON ({_line(error)}); expected one object per line") from error
        if not isinstance(row, dict):
            raise DataError(f"{place}: expected an object with inputs and targets")
        yield place, row


def _parquet(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    import pyarrow.parquet
    from pyarrow.lib import ArrowException

    number = 0
    try:
        file = pyarrow.parquet.ParquetFile(regular(path))
        names = file.schema_arrow.names
        wanted = ["inputs", _targets_of(names, str(path)), *(["slices"] if "slices" in names else [])]
        for batch in file.iter_batches(batch_size=1024, columns=wanted):
            for row in batch.to_pylist():
                number += 1
                yield f"{path}: row {number}", row
    except (ArrowException, OSError, ValueError, OverflowError) as error:
        raise DataError(f"{path}: not a readable parquet file ({_line(error)})") from error


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
