"""The live view of a study: a table on a terminal, plain lines elsewhere. Written to the error stream."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from stacklab.base.text import LONGEST_PRINTED, make_console, one_line
from stacklab.base.units import duration
from stacklab.study.engines.protocol import RunEnd, Watch
from stacklab.study.execution.progress import TRAINING, Board, final_loss

REFRESH_SECONDS = 0.25
HEARTBEAT_SECONDS = 15.0
TABLE_ROWS = 9


@contextmanager
def live(labels: Mapping[str, tuple[str, int]], *, total: int, console: Console | None = None) -> Iterator[Watch]:
    """A Watch for an engine with `total` runs. labels: run id -> (arm, seed), for at least those runs."""
    console = console or make_console(stderr=True)
    board = Board(labels, total=total)
    if not console.is_terminal or console.is_dumb_terminal:
        yield PlainLines(board, console)
        return
    # Standard output is left alone: it belongs to the results.
    try:
        with Live(console=console, auto_refresh=False, transient=True, redirect_stdout=False) as screen:
            yield LiveTable(board, screen)
    finally:
        console.print(board.summary())


def describe(board: Board, end: RunEnd, *, seconds: float) -> str:
    """'deep seed 3 finished in 12.3 s, validation loss 2.3451'"""
    line = f"{board.name(end.folder)} {end.status} in {duration(seconds)}"
    loss = final_loss(end.folder)
    if loss is not None:
        line += f", {loss[0]} loss {loss[1]:.4f}"
    return f"{line}: {one_line(end.reason, LONGEST_PRINTED)}" if end.reason else line


class PlainLines:
    """A line when a run starts and ends, and its progress every HEARTBEAT_SECONDS."""

    def __init__(self, board: Board, console: Console) -> None:
        self._board, self._console = board, console
        self._last_line: dict[Path, float] = {}

    def started(self, folder: Path, *, attempt: int) -> None:
        self._board.start(folder)
        self._last_line[folder] = time.monotonic()
        again = f" again (attempt {attempt})" if attempt > 1 else ""
        self._say(f"{self._board.name(folder)} started{again}")

    def lost(self, folder: Path, *, reason: str) -> None:
        self._board.leave(folder)
        self._say(f"{self._board.name(folder)} lost: {reason}")

    def ended(self, end: RunEnd) -> None:
        seconds = self._board.end(end)
        if end.attempts:
            self._say(describe(self._board, end, seconds=seconds))

    def note(self, text: str) -> None:
        self._console.print(text, soft_wrap=True)

    def tick(self) -> None:
        now = time.monotonic()
        for folder, run in self._board.running.items():
            if now - self._last_line[folder] >= HEARTBEAT_SECONDS:
                self._last_line[folder] = now
                run.refresh()
                self._say(f"{self._board.name(folder)}  {run.progress}")

    def _say(self, text: str) -> None:
        self.note(f"[{self._board.over()}/{self._board.total}] {text}")


class LiveTable:
    """A line for each running run and one for the study, redrawn in place; failures stay above it."""

    def __init__(self, board: Board, screen: Live) -> None:
        self._board, self._screen = board, screen
        self._drawn = 0.0

    def started(self, folder: Path, *, attempt: int) -> None:
        self._board.start(folder)

    def lost(self, folder: Path, *, reason: str) -> None:
        self._board.leave(folder)
        self.note(f"{self._board.name(folder)} lost: {reason}")

    def ended(self, end: RunEnd) -> None:
        seconds = self._board.end(end)
        if end.status != "finished":
            self.note(describe(self._board, end, seconds=seconds))

    def note(self, text: str) -> None:
        self._screen.console.print(text)

    def tick(self) -> None:
        now = time.monotonic()
        if now - self._drawn >= REFRESH_SECONDS:
            self._drawn = now
            self._board.refresh()
            self._screen.update(draw(self._board), refresh=True)


def draw(board: Board) -> RenderableType:
    """At most TABLE_ROWS runs, a heading, a line for the rest and the summary: 12 lines."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("arm", no_wrap=True, max_width=26)
    table.add_column("seed", justify="right")
    table.add_column("", width=8)
    for heading in ("step", "loss", "tokens/s", "left"):
        table.add_column(heading, justify="right", no_wrap=True)
    rows = list(board.running.items())
    for folder, run in rows[:TABLE_ROWS]:
        (arm, seed), progress = board.labels[folder.name], run.progress
        table.add_row(
            one_line(arm),
            str(seed),
            ProgressBar(total=max(progress.steps, 1), completed=progress.step, width=8),
            f"{progress.step:,}/{progress.steps:,}" if progress.state == TRAINING else progress.state,
            "" if progress.loss is None else f"{progress.loss:.4f}",
            "" if progress.tokens_per_second is None else f"{progress.tokens_per_second:,.0f}",
            "" if progress.seconds_left is None else duration(progress.seconds_left),
        )
    more = [Text(f"and {len(rows) - TABLE_ROWS} more running")] if len(rows) > TABLE_ROWS else []
    return Group(*([table] if rows else []), *more, Text(board.summary(), no_wrap=True, overflow="ellipsis"))
