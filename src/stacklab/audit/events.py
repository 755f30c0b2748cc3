"""TensorBoard event files, read by TensorBoard's own reader where it is installed."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from stacklab.audit.log import Log, LogBuilder, Metric, Trouble
from stacklab.audit.names import metric_of
from stacklab.base.errors import DataError, MissingExtraError

MARK = b"brain.Event:"
NAME = "*tfevents*"
FRAME_HEAD, FRAME_TAIL = 12, 4


def is_event_file(path: Path) -> bool:
    """Whether the first record names TensorBoard's format. False for what cannot be read."""
    try:
        with path.open("rb") as handle:
            return MARK in handle.read(64)
    except OSError:
        return False


def event_files(folder: Path) -> list[Path]:
    """Raises DataError when the folder holds none."""
    found = sorted(path for path in folder.rglob(NAME) if path.is_file() and is_event_file(path))
    if not found:
        raise DataError(f"{folder}: a folder without TensorBoard event files; name a file")
    return found


def read_events(paths: Sequence[Path], *, root: Path) -> list[Log]:
    """One log per folder of event files. Raises MissingExtraError without the reader, DataError without losses."""
    try:
        accumulator = import_module("tensorboard.backend.event_processing.event_accumulator")
    except ImportError as error:
        raise MissingExtraError(
            f"{paths[0]}: TensorBoard event files need the package tensorboard; pip install 'stacklab[tensorboard]'"
        ) from error
    builders: dict[Path, LogBuilder] = {}
    for path in paths:
        name = str(path.parent.relative_to(root)) if path.parent != root else root.name or path.name
        builder = builders.setdefault(path.parent, LogBuilder(name=name, source=path.name))
        # A size of 0 keeps every point; the reader's own default thins them by chance.
        reader = accumulator.EventAccumulator(str(path), size_guidance={"scalars": 0, "tensors": 0})
        reader.Reload()
        for tag, metric in _losses(reader):
            for step, value in _points(reader, tag):
                builder.add(metric, step, value, line=0)
        if not _whole(path):
            builder.troubles.append(Trouble("log-truncated", 0, None, f"{path.name} ends within a record"))
    logs = [builder.build() for builder in builders.values()]
    if not any(log.series for log in logs):
        raise DataError(f"{paths[0]}: no losses among the tags of the events; expected names such as train/loss")
    return logs


def _losses(reader: Any) -> list[tuple[str, Metric]]:
    tags = reader.Tags()
    named = [(tag, metric_of(tag)) for tag in (*tags["scalars"], *tags["tensors"])]
    return [(tag, metric) for tag, metric in named if metric is not None]


def _points(reader: Any, tag: str) -> list[tuple[int, float]]:
    """Scalars are written as numbers by some writers and as tensors of one number by others."""
    if tag in reader.Tags()["scalars"]:
        return [(event.step, float(event.value)) for event in reader.Scalars(tag)]
    tensors = import_module("tensorboard.util.tensor_util")
    arrays = [(event.step, tensors.make_ndarray(event.tensor_proto)) for event in reader.Tensors(tag)]
    return [(step, float(array)) for step, array in arrays if array.size == 1]


def _whole(path: Path) -> bool:
    """Whether the file ends at the end of a record: a length of 8 bytes, its checksum, the data, their checksum."""
    size, at = path.stat().st_size, 0
    with path.open("rb") as handle:
        while at + FRAME_HEAD <= size:
            handle.seek(at)
            at += FRAME_HEAD + int.from_bytes(handle.read(8), "little") + FRAME_TAIL
    return at == size
