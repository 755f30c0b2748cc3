"""Every input form, and everything that can be wrong with a file."""

import gzip
import struct
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from stacklab.audit.examine import audit
from stacklab.audit.reading.log import Reading
from stacklab.audit.reading.source import read_source
from stacklab.audit.spec import Finding
from stacklab.base.errors import DataError, MissingExtraError, UserError

Find = Callable[..., Finding]

NANO = """found vocab_size = 65 (inside data/meta.pkl)
number of parameters: 10.65M
step 0: train loss 4.2874, val loss 4.2823
iter 0: loss 4.2654, time 32684.65ms, mfu -100.00%
iter 10: loss 3.2444, time 320.47ms, mfu 1.16%
step 20: train loss 2.6, val loss 2.7
saving checkpoint to out
iter 20: loss 2.7, time 300ms, mfu 1.2%
"""
PAIR = "Small, 1 layer\nstep 1/3 train 3.0 val 3.1\nstep 2/3 train 2.0 val 2.1\nstep 3/3 train 1.0 val 1.5\n"


def write(folder: Path, content: str | bytes, name: str = "log.txt") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_nanogpt_lines_keep_single_batches_apart_from_evaluations(tmp_path: Path) -> None:
    (log,) = read_source(write(tmp_path, NANO)).logs
    assert log.series["train"] == (Reading(0, 4.2874), Reading(20, 2.6))
    assert log.series["batch"] == (Reading(0, 4.2654), Reading(10, 3.2444), Reading(20, 2.7))
    assert log.series["validation"] == (Reading(0, 4.2823), Reading(20, 2.7))
    assert log.name == "log"
    assert log.troubles == ()


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_says_the_encoding(tmp_path: Path, encoding: str) -> None:
    marked = read_source(write(tmp_path, NANO.encode(encoding))).logs
    assert marked == read_source(write(tmp_path, NANO)).logs


def test_a_log_begins_where_the_steps_start_over(tmp_path: Path) -> None:
    logs = read_source(write(tmp_path, NANO + NANO)).logs
    assert [len(log.series["batch"]) for log in logs] == [3, 3]
    assert logs[0].series == logs[1].series


def test_a_resumed_run_is_one_log_and_its_later_readings_count(tmp_path: Path, find: Find) -> None:
    path = write(
        tmp_path, "".join(f"step {n}: train loss {v}\n" for n, v in [(1, 5), (2, 4), (3, 3), (2, 4.5), (3, 2)])
    )
    (log,) = read_source(path).logs
    assert log.series["train"] == (Reading(1, 5), Reading(2, 4.5), Reading(3, 2))
    assert find(audit([path]), "log-repeated").numbers["count"] == 2


def test_prose_with_steps_is_no_log(tmp_path: Path) -> None:
    text = "Loss at step 200 (train) 4.98\nBest validation loss 5.6 (step 350)\nstep 1: install it\n" + PAIR
    (log,) = read_source(write(tmp_path, text)).logs
    assert log.last_step == 3
    assert log.planned_steps == 3
    assert [trouble.kind for trouble in log.troubles] == ["log-aside"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_with_empty_cells_and_other_columns(tmp_path: Path, delimiter: str) -> None:
    text = "Step,lr,train/loss,val_loss,train_time\n0,1,4.0,4.1,9\n10,1,3.5,,9\n20,1,3.0,3.2,9"
    (log,) = read_source(write(tmp_path, text.replace(",", delimiter), "run.csv")).logs
    assert log.series["train"] == (Reading(0, 4), Reading(10, 3.5), Reading(20, 3))
    assert log.series["validation"] == (Reading(0, 4.1), Reading(20, 3.2))


def test_runs_side_by_side_in_one_table(tmp_path: Path) -> None:
    text = '"Step","deep - train/loss","deep - train/loss__MIN","wide - train/loss"\n"1","3.0","3.0","4.0"\n'
    logs = read_source(write(tmp_path, text, "export.csv")).logs
    assert [(log.name, log.series["train"][0].value) for log in logs] == [("deep", 3.0), ("wide", 4.0)]


def test_names_out_of_a_file_cannot_steer_a_terminal(tmp_path: Path) -> None:
    (log,) = read_source(write(tmp_path, "run,step,loss\na\x1b[2J,1,3.0\n", "runs.csv")).logs
    assert log.name == log.arm == "a?[2J"


BROKEN = [
    (b"", r"log\.txt: empty"),
    (b" \n\n", r"log\.txt: empty"),
    ("\u2028".encode(), r"log\.txt: empty"),
    (b"step 1 train 2\n\x00\x01\x02", r"log\.txt:2: not text"),
    (NANO.encode("utf-16-le"), r"log\.txt: looks like UTF-16LE without a byte order mark"),
    (b"\x89PNG\r\n\x1a\n\xff", r"log\.txt:1: not text"),
    (b"Once upon a time there was a loss.\n", r"log\.txt: no training log and no stated numbers"),
    (b"step,train_loss\n1,2.0\n2,abc\n3,1.0\n", r"log\.txt:3: column 2: expected a number, got 'abc'"),
    (b"step,train_loss\n1,2.0\nx,1.0\n", r"log\.txt:3: step: expected a number"),
    (b"step,train_loss\n1.5,2.0\n", r"log\.txt:2: step: expected a whole number"),
    (b"step,train_loss\nnan,2.0\n", r"log\.txt:2: step: expected a whole number"),
    (b"step,train_loss\n1,2.0\n2,3,4\n3,1.0\n", r"log\.txt:3: 3 cells, expected 2"),
    (b"step,train_loss\n", r"log\.txt: no training log"),
    (b"x" * 200_000, r"log\.txt: no training log"),
]


@pytest.mark.parametrize(("content", "message"), BROKEN)
def test_what_cannot_be_read_is_said_in_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        audit([write(tmp_path, content)])
    assert caught.value.exit_code == 2


def test_a_packed_log_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, gzip.compress(NANO.encode()), "run.log.gz")
    assert read_source(path).logs[0].series == read_source(write(tmp_path, NANO)).logs[0].series
    monkeypatch.setattr("stacklab.audit.reading.source.LARGEST_TEXT", len(NANO) - 1)
    with pytest.raises(DataError, match="larger than"):
        read_source(path)


def test_missing_files_and_empty_folders(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.txt: cannot read"):
        read_source(tmp_path / "none.txt")
    with pytest.raises(DataError, match="a folder without TensorBoard event files"):
        read_source(tmp_path)


@pytest.mark.parametrize(
    ("tail", "line"),
    [("step 4/4 train 0.9", 5), ("step 4/4", 5), ("step 4/4 train 0.9 va", 5), ("step 4/4 train 0.9 val 1.", 5)],
)
def test_a_torn_last_line_is_named_and_left_out(tmp_path: Path, tail: str, line: int, find: Find) -> None:
    path = write(tmp_path, PAIR.replace("/3", "/4") + tail)
    (log,) = read_source(path).logs
    assert log.series["train"][-1] == Reading(3, 1.0)
    assert log.series["validation"][-1] == Reading(3, 1.5)
    found = audit([path])
    assert f"log.txt:{line}:" in find(found, "log-truncated").sentence
    assert find(found, "log-short").numbers == {"last_step": 3, "planned_steps": 4}


def test_a_torn_last_row_of_a_table(tmp_path: Path, find: Find) -> None:
    path = write(tmp_path, "step,train_loss,val_loss\n1,3.0,3.1\n2,2.0,2.1\n3,1.0")
    assert find(audit([path]), "log-truncated").numbers["first_line"] == 4
    assert read_source(path).logs[0].last_step == 2


def test_values_that_are_not_finite_are_left_out(tmp_path: Path, find: Find) -> None:
    rows = ["1,3.0", "2,nan", "3,inf", "4,2.0", "5,-1e999"]
    path = write(tmp_path, "step,train_loss\n" + "\n".join(rows) + "\n")
    assert read_source(path).logs[0].series["train"] == (Reading(1, 3), Reading(4, 2))
    assert find(audit([path]), "log-not-finite").numbers == {"count": 3, "first_line": 3, "first_step": 2}


def test_a_log_of_nothing_but_nan_is_still_answered(tmp_path: Path, find: Find) -> None:
    path = write(tmp_path, "step 1: train loss nan, val loss nan\nstep 2: train loss nan, val loss nan\n")
    found = audit([path])
    assert find(found, "log-not-finite").numbers["count"] == 4
    assert find(found, "no-log")


def test_missing_steps_are_found(tmp_path: Path, find: Find) -> None:
    steps = [1, *range(25, 101, 25), *range(300, 501, 25)]
    path = write(tmp_path, "step,train_loss\n" + "".join(f"{step},{9 - step / 100}\n" for step in steps))
    found = find(audit([path]), "log-steps-missing")
    assert found.numbers == {"gaps": 1, "usual_spacing": 25, "first_gap_from": 100, "first_gap_to": 300}


def test_a_damaged_line_within_a_log_gives_what_it_has(tmp_path: Path, find: Find) -> None:
    path = write(tmp_path, "step 1 train 3.0 val 3.1\nstep 2 train 2.0\nstep 3 train 1.0 val 1.5\n")
    assert find(audit([path]), "log-damaged").numbers["first_line"] == 2
    assert len(read_source(path).logs[0].series["train"]) == 3


def test_events_without_their_reader_name_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = b"\x09" + b"\0" * 8 + b"\x1a\x0dbrain.Event:2"
    path = write(tmp_path, struct.pack("<Q", len(record)) + b"\0" * 4 + record + b"\0" * 4, "events.out.tfevents.1.x")
    monkeypatch.setitem(sys.modules, "tensorboard.backend.event_processing.event_file_loader", None)
    with pytest.raises(MissingExtraError, match=r"stacklab\[tensorboard\]"):
        read_source(path)
