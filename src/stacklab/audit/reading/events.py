"""TensorBoard event files, read by TensorBoard's own reader where it is installed."""

from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from stacklab.audit.reading.log import Log, LogBuilder, Trouble
from stacklab.audit.reading.names import metric_of
from stacklab.audit.reading.number import Number
from stacklab.base.errors import DataError, MissingExtraError
from stacklab.base.files import open_regular

MARK = b"brain.Event:"
NAME = "*tfevents*"
FRAME_HEAD, FRAME_TAIL = 12, 4
STRING = 7  # DataType.DT_STRING: texts and images, which are no losses


def is_event_file(path: Path) -> bool:
    """Whether the first record names TensorBoard's format. False for a file that cannot be read."""
    try:
        with open_regular(path) as handle:
            return MARK in handle.read(64)
    except (OSError, DataError):
        return False


def event_files(folder: Path) -> list[Path]:
    """All event files below a folder. Raises DataError when there are none."""
    files = sorted(path for path in folder.rglob(NAME) if path.is_file() and is_event_file(path))
    if not files:
        raise DataError(f"{folder}: a folder without TensorBoard event files; name a file")
    return files


def read_events(paths: Sequence[Path], *, root: Path) -> list[Log]:
    """One log per folder of event files. Raises MissingExtraError without the reader, DataError without losses."""
    try:
        loader = import_module("tensorboard.backend.event_processing.event_file_loader")
    except ImportError as error:
        raise MissingExtraError(
            f"{paths[0]}: TensorBoard event files need the package tensorboard; pip install 'stacklab[tensorboard]'"
        ) from error
    builders: dict[Path, LogBuilder] = {}
    for path in paths:
        name = str(path.parent.relative_to(root)) if path.parent != root else root.name or path.name
        builder = builders.setdefault(path.parent, LogBuilder(name=name, source=path.name))
        try:
            for tag, step, value in _points(loader.EventFileLoader(str(path)).Load()):
                metric = metric_of(tag)
                if metric is not None:
                    builder.add(metric, step, Number(value), line=0)
        except (import_module("google.protobuf.message").DecodeError, ValueError, TypeError) as error:
            raise DataError(f"{path}: a record of the events cannot be read ({error})") from error
        if not _whole(path):
            builder.troubles.append(Trouble("log-truncated", 0, None, f"{path.name} ends within a record"))
    logs = [builder.build() for builder in builders.values()]
    if not any(log.series for log in logs):
        raise DataError(f"{paths[0]}: no losses among the tags of the events; expected names such as train/loss")
    return logs


def _points(events: Iterable[Any]) -> Iterator[tuple[str, int, float]]:
    """(tag, step, value) of every single number. The loader turns scalars of all ages into tensors."""
    tensors = import_module("tensorboard.util.tensor_util")
    for event in events:
        for value in event.summary.value:
            if not value.HasField("tensor") or value.tensor.dtype == STRING:
                continue
            array = tensors.make_ndarray(value.tensor)
            if array.size == 1:
                yield value.tag, event.step, float(array.reshape(()))


def _whole(path: Path) -> bool:
    """Whether the file ends at the end of a record: a length of 8 bytes, its checksum, the data, their checksum."""
    size, at = path.stat().st_size, 0
    with open_regular(path) as handle:
        while at + FRAME_HEAD <= size:
            handle.seek(at)
            at += FRAME_HEAD + int.from_bytes(handle.read(8), "little") + FRAME_TAIL
    return at == size
