"""What a forked worker does: one job, then it is gone."""

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
    """Run `command["folders"]`, say on `reply` how each ended, and leave without returning to the server's code."""
    code = 1
    folders = [Path(folder) for folder in command["folders"]]

    def tell(folder: Path, status: Status, reason: str) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        place = folders.index(folder)
        row = {"job": command["job"], "place": place, "status": status, "reason": reason[:REASON_CHARACTERS]}
        send(reply, row)

    try:
        asked = _settle(command["device"])

        # When the server is killed nobody would collect this run's end: save and leave.
        def stop() -> bool:
            return bool(asked) or os.getppid() != server

        if command["together"] is None:
            (folder,) = folders
            tell(folder, *attempt(execute, folder, threads=threads, stop=stop))
        else:
            attempt_together(pkgutil.resolve_name(command["together"]), folders, stop=stop, tell=tell)
        code = 0
    finally:
        os._exit(code)


def _settle(device: str | None) -> list[int]:
    """Become a process of its own; returns the list that fills when somebody asks it to stop.

    The server blocks the stop signals, so none was lost between the fork and here. The terminal's Ctrl-C reaches every
    process of the group: workers leave it to the parent, which asks by SIGTERM.
    """
    asked: list[int] = []

    def heard(number: int, frame: FrameType | None) -> None:
        asked.append(number)

    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, heard)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
    faulthandler.enable()
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    if device is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = device
    return asked
