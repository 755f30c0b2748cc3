import io
import json
import time
from pathlib import Path
from typing import Any

import pytest

from stacklab.base.text import make_console
from stacklab.study.engines.protocol import RunEnd
from stacklab.study.execution.live import TABLE_ROWS, draw, live
from stacklab.study.execution.progress import Board, read_progress

ROW = {"state": "running", "step": 40, "steps": 200, "loss": 2.34567, "tokens_per_second": 12_100, "seconds_left": 34.0}


class Clock:
    """Monotonic seconds that the test moves; the wall clock goes on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def folders_and_labels(root: Path, count: int) -> tuple[list[Path], dict[str, tuple[str, int]]]:
    folders = [root / f"run{index}" for index in range(count)]
    for folder in folders:
        folder.mkdir()
    return folders, {folder.name: ("deep", seed) for seed, folder in enumerate(folders)}


def say(folder: Path, **changes: Any) -> None:
    (folder / "progress.json").write_text(json.dumps({**ROW, "time": time.time() + 1, "pid": 1, **changes}))


def test_plain_lines_report_start_heartbeat_and_end(tmp_path: Path, clock: Clock) -> None:
    (one, two, old, other), labels = folders_and_labels(tmp_path, 4)
    output = io.StringIO()
    with live(labels, total=4, console=make_console(file=output, width=40)) as watch:
        watch.ended(RunEnd(old, "finished", attempts=0))
        watch.started(one, attempt=1)
        say(one)
        for clock.now in (101.0, 114.9, 115.0, 120.0, 129.9):
            watch.tick()
        say(one, state="answering", loss=None)
        clock.now = 130.0
        watch.tick()
        (one / "result.json").write_text(json.dumps({"metrics": {"validation.loss": 2.3}}))
        watch.ended(RunEnd(one, "finished"))
        watch.started(two, attempt=1)
        watch.lost(two, reason="killed by signal 9; attempt 1 of 3")
        watch.started(two, attempt=2)
        clock.now = 132.0
        watch.note("[a warning]")
        watch.ended(RunEnd(two, "failed", "DataError: [x] is wrong", attempts=2))
        watch.started(other, attempt=1)
        watch.ended(RunEnd(other, "stopped"))
    assert output.getvalue().splitlines() == [
        "[1/4] deep seed 0 started",
        "[1/4] deep seed 0  step 40/200  loss 2.3457  12,100 tokens/s  34.0 s left",
        "[1/4] deep seed 0  answering",
        "[2/4] deep seed 0 finished in 30.0 s, validation loss 2.3000",
        "[2/4] deep seed 1 started",
        "[2/4] deep seed 1 lost: killed by signal 9; attempt 1 of 3",
        "[2/4] deep seed 1 started again (attempt 2)",
        "[a warning]",
        "[3/4] deep seed 1 failed in 2.0 s: DataError: [x] is wrong",
        "[3/4] deep seed 3 started",
        "[3/4] deep seed 3 stopped in 0 ms",
    ]


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '"x"', '{"time": "now"}', '{"time": 9e99, "state": "running", "step": null}', "\xff"],
)
def test_progress_that_cannot_be_read_is_no_progress(tmp_path: Path, text: str) -> None:
    assert read_progress(tmp_path, since=0) is None
    (tmp_path / "progress.json").write_text(text, encoding="latin-1")
    assert read_progress(tmp_path, since=0) is None


def test_progress_of_an_earlier_attempt_is_no_progress(tmp_path: Path) -> None:
    say(tmp_path, time=1000.0)
    assert read_progress(tmp_path, since=1000.5) is None
    assert read_progress(tmp_path, since=999.5) is not None


def test_the_table_shows_what_runs_in_at_most_twelve_lines(tmp_path: Path, clock: Clock) -> None:
    folders, labels = folders_and_labels(tmp_path, 20)
    board = Board(labels, total=20)
    for folder in folders[:15]:
        board.start(folder)
    say(folders[0])
    (folders[1] / "progress.json").write_text("{")
    board.refresh()
    lines = rendered(board, width=80)
    assert len(lines) == TABLE_ROWS + 3 == 12
    assert lines[0].split() == ["arm", "seed", "step", "loss", "tokens/s", "left"]
    assert [word for word in lines[1].split() if "━" not in word and "╸" not in word] == (
        ["deep", "0", "40/200", "2.3457", "12,100", "34.0", "s"]
    )
    assert "starting" in lines[2]
    assert lines[-2] == "and 6 more running"
    assert all(len(line) <= 80 for line in lines)


def test_a_progress_file_that_breaks_keeps_what_was_known(tmp_path: Path, clock: Clock) -> None:
    (folder,), labels = folders_and_labels(tmp_path, 1)
    board = Board(labels, total=1)
    board.start(folder)
    say(folder)
    board.refresh()
    (folder / "progress.json").write_text("{")
    board.refresh()
    assert board.running[folder].progress.step == 40


def test_the_summary_counts_and_estimates(tmp_path: Path, clock: Clock) -> None:
    folders, labels = folders_and_labels(tmp_path, 8)
    board = Board(labels, total=8)
    assert board.summary() == "0 done, 8 left, 0 ms so far"
    board.start(folders[0])
    board.start(folders[1])
    clock.now += 60
    board.end(RunEnd(folders[0], "finished"))
    board.end(RunEnd(folders[1], "diverged"))
    board.start(folders[2])
    clock.now += 20
    # Two slots; the one that runs needs 40 s more, and the 5 others 60 s each: 340 s over 2.
    assert board.summary() == "1 done, 1 diverged, 6 left, 1 min 20 s so far, up to 2 min 50 s to go"
    say(folders[2], seconds_left=600.0)
    board.refresh()
    assert board.seconds_left() == pytest.approx((600 + 5 * (60 + 620) / 2) / 2)
    for folder in folders[2:7]:
        board.end(RunEnd(folder, "failed", attempts=1))
    board.start(folders[7])
    say(folders[7], seconds_left=100.0)
    board.refresh()
    assert board.seconds_left() == 100.0, "the last run cannot be shared out among slots"


def test_a_terminal_gets_a_table_and_keeps_what_went_wrong(tmp_path: Path, clock: Clock) -> None:
    (good, bad), labels = folders_and_labels(tmp_path, 2)
    output = io.StringIO()
    console = make_console(file=output, force_terminal=True, width=80, height=30, _environ={"TERM": "xterm"})
    with live(labels, total=2, console=console) as watch:
        watch.started(good, attempt=1)
        say(good)
        watch.tick()
        watch.tick()
        assert output.getvalue().count("40/200") == 1, "drawn at most four times a second"
        clock.now += 0.25
        watch.tick()
        assert output.getvalue().count("40/200") == 2
        watch.ended(RunEnd(good, "finished"))
        watch.started(bad, attempt=1)
        watch.ended(RunEnd(bad, "failed", "no [text] in corpus.txt"))
    text = output.getvalue()
    assert "deep seed 1 failed in" in text and "no [text] in corpus.txt" in text
    assert "deep seed 0 finished" not in text
    assert "1 done, 1 failed, 0 left" in text.splitlines()[-1]


def rendered(board: Board, *, width: int) -> list[str]:
    console = make_console(file=io.StringIO(), width=width)
    with console.capture() as capture:
        console.print(draw(board))
    return [line.rstrip() for line in capture.get().splitlines()]
