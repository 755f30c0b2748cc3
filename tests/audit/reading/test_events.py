"""TensorBoard's files, written and read by TensorBoard itself where it is installed."""

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from stacklab.audit.examine import audit
from stacklab.audit.reading.log import Reading
from stacklab.audit.reading.source import read_source
from stacklab.audit.spec import Finding
from stacklab.base.errors import DataError

pytest.importorskip("tensorboard", reason="the extra tensorboard is not installed")


def write_events(folder: Path, points: dict[str, list[float]], *, as_tensors: bool = False) -> Path:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.scalar.summary import scalar_pb
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    # A longer queue than there are events: its thread would else take turns with this one at every tenth.
    writer = EventFileWriter(str(folder), max_queue_size=20_000)
    for tag, values in points.items():
        for step, value in enumerate(values):
            plain = Summary(value=[Summary.Value(tag=tag, simple_value=value)])
            writer.add_event(Event(step=step, summary=scalar_pb(tag, value) if as_tensors else plain))
    writer.close()
    (path,) = folder.iterdir()
    return path


@pytest.mark.parametrize("as_tensors", [False, True])
def test_every_point_is_read(tmp_path: Path, as_tensors: bool) -> None:
    values = [5 - n / 4096 for n in range(12_000)]
    points = {"train/loss": values, "val/loss": [4.0, 3.0], "lr": [1.0, 2.0]}
    path = write_events(tmp_path, points, as_tensors=as_tensors)
    (log,) = read_source(path.rename(tmp_path / "renamed.bin")).logs
    assert len(log.series["train"]) == 12_000, "TensorBoard itself would keep 10,000 or 10"
    assert log.series["validation"] == (Reading(0, 4), Reading(1, 3))


def test_a_folder_holds_a_log_per_run_and_a_torn_file_is_named(tmp_path: Path, find: Callable[..., Finding]) -> None:
    for name in ("deep", "shallow"):
        path = write_events(tmp_path / name, {"train/loss": [3.0, 2.0, 1.0]})
    path.write_bytes(path.read_bytes()[:-5])
    found = audit([tmp_path])
    assert [(log.name, log.points) for log in found.logs] == [("deep", {"train": 3}), ("shallow", {"train": 2})]
    assert find(found, "log-truncated").subject == "shallow"


def test_events_without_losses_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no losses among the tags"):
        read_source(write_events(tmp_path, {"lr": [1.0]}))


def test_a_record_that_is_no_event_is_refused(tmp_path: Path) -> None:
    from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c

    path = write_events(tmp_path, {"train/loss": [3.0]})
    length, data = struct.pack("<Q", 3), b"\xff\xff\xff"
    with path.open("ab") as handle:
        handle.write(length + struct.pack("<I", masked_crc32c(length)) + data + struct.pack("<I", masked_crc32c(data)))
    with pytest.raises(DataError, match="a record of the events cannot be read"):
        read_source(path)
