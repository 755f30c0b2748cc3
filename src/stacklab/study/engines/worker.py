"""A forked worker: it does one job and exits."""

import faulthandler
import os
import pkgutil
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from stacklab.study.engines.attempt import attempt, attempt_together
from stacklab.study.engines.protocol import Execute, Status
from stacklab.study.engines.signals import STOP_SIGNALS
from stacklab.study.engines.wire import REASON_CHARACTERS, send


def work(execute: Execute, command: dict[str, Any], *, threads: int, reply: int, server: int) -> NoReturn:
    """Train `command["folders"]`, send each end on `reply`, and exit without returning to the server's code."""
    code = 1
    folders = [Path(folder) for folder in command["folders"]]

    def report(folder: Path, status: Status, reason: str) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        place = folders.index(folder)
        row = {"job": command["job"], "place": place, "status": status, "reason": reason[:REASON_CHARACTERS]}
        send(reply, row)

    try:
        stops = _prepare_process(command["device"])

        # When the server is killed, nobody collects the end of this run: save and exit.
        def stop() -> bool:
            return bool(stops) or os.getppid() != server

        if command["together"] is None:
            (folder,) = folders
            report(folder, *attempt(execute, folder, threads=threads, stop=stop))
        else:
            attempt_together(pkgutil.resolve_name(command["together"]), folders, stop=stop, tell=report)
        code = 0
    finally:
        os._exit(code)


def _prepare_process(device: str | None) -> list[int]:
    """Set up signals, standard input and device; returns the list to which every SIGTERM is appended.

    The server blocks the stop signals, so none was lost between the fork and here. The terminal's Ctrl-C reaches every
    process of the group: workers ignore it, and the parent sends them SIGTERM.
    """
    stops: list[int] = []

    def on_stop(number: int, frame: FrameType | None) -> None:
        stops.append(number)

    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, on_stop)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
    faulthandler.enable()
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    if device is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = device
    return stops
