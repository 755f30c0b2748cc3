"""The process that starts runs: it imports torch once, then forks a worker for each job, in milliseconds.

Commands on its standard input, one JSON line each:
    {"parent", "path", "preload", "target", "threads"}    first, once
    {"job", "folders", "together", "device", "ranks"}     start a job: one run, or several for `together`
    {"signal"}                                            send it to every worker
"device" is the CUDA_VISIBLE_DEVICES of the job; null leaves the variable as it is.
Replies on the pipe named by its argument: {"ready"} or {"error"} once, then per run {"job", "place", "status",
"reason"} from the worker, and {"job", "code"} when the worker has ended. When the input ends or the parent is dead, it
sends the workers SIGTERM, waits for them and exits.

multiprocessing's own fork server is not used: it imports the user's main script again in every child, fixes the
environment when anybody first uses it, and stays until the parent ends.
"""

import faulthandler
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from stacklab.base.hardware import limit_reached
from stacklab.study.engines.attempt import attempt, attempt_together, one_line
from stacklab.study.engines.machine import VISIBLE
from stacklab.study.engines.protocol import LOST, Execute, Status, Unfinished
from stacklab.study.engines.signals import STOP_SIGNALS
from stacklab.study.engines.wire import REASON_CHARACTERS, LineReader, send

LOOK_SECONDS = 1.0


class Server:
    def __init__(self, reply: int) -> None:
        self.reply = reply
        self.commands = LineReader(0)
        self.early: list[str] = []
        self.workers: dict[int, int] = {}
        self.leaving = False

    def prepare(self) -> bool:
        """Import what the runs need. When that fails, reply with the error and return False."""
        while not self.early and self.commands.open:
            self.early = self.commands.read()
        if not self.early:
            return False
        self.settings = json.loads(self.early.pop(0))
        sys.path[:] = self.settings["path"]
        try:
            for name in self.settings["preload"]:
                importlib.import_module(name)
            self.execute: Execute = pkgutil.resolve_name(self.settings["target"])
        except Exception as error:  # noqa: BLE001  whatever an import raises goes to the parent
            send(self.reply, {"error": one_line(f"{type(error).__name__}: {error}")[:REASON_CHARACTERS]})
            return False
        # What exists now is shared by all workers; a collection there would touch, and so copy, every page of it.
        gc.collect()
        gc.freeze()
        send(self.reply, {"ready": os.getpid()})
        return True

    def serve(self) -> None:
        wake = _wake_on_child()
        for line in self.early:
            self._handle(json.loads(line))
        while self.workers or not self.leaving:
            sources = [wake] if self.leaving else [wake, self.commands.handle]
            ready, _, _ = select.select(sources, [], [], LOOK_SECONDS)
            if wake in ready:
                os.read(wake, 4096)
            if self.commands.handle in ready:
                for line in self.commands.read():
                    self._handle(json.loads(line))
            self._reap()
            if not self.leaving and (not self.commands.open or os.getppid() != self.settings["parent"]):
                self.leaving = True
                self._signal(signal.SIGTERM)

    def _handle(self, command: dict[str, Any]) -> None:
        if "signal" in command:
            self._signal(command["signal"])
            return
        server = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:  # the number of processes has a limit
            for place in range(len(command["folders"])):
                reason = str(limit_reached(error) or error)
                send(self.reply, {"job": command["job"], "place": place, "status": LOST, "reason": reason})
            send(self.reply, {"job": command["job"], "code": 1})
            return
        if pid == 0:
            work(self.execute, command, threads=self.settings["threads"], reply=self.reply, server=server)
        self.workers[pid] = command["job"]

    def _signal(self, number: int) -> None:
        # Only this process waits for the workers, so none of these numbers can have been given to another.
        for pid in self.workers:
            os.kill(pid, number)

    def _reap(self) -> None:
        while self.workers:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            job = self.workers.pop(pid)
            if not self.leaving:
                send(self.reply, {"job": job, "code": os.waitstatus_to_exitcode(status)})


def _wake_on_child() -> int:
    """A pipe that becomes readable when a worker ends."""
    wake, waker = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    return wake


def work(execute: Execute, command: dict[str, Any], *, threads: int, reply: int, server: int) -> NoReturn:
    """Train `command["folders"]`, send each end on `reply`, and exit without returning to the server's code."""
    code = 1
    folders = [Path(folder) for folder in command["folders"]]

    def report(folder: Path, status: Status | Unfinished, reason: str) -> None:
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
            report(folder, *attempt(execute, folder, threads=threads, stop=stop, ranks=command["ranks"]))
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
        os.environ[VISIBLE] = device
    return stops


def main() -> None:
    server = Server(int(sys.argv[1]))
    if server.prepare():
        server.serve()


if __name__ == "__main__":
    main()
