"""The parent's connection to the server that starts runs."""

import json
import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from stacklab.base.env import training_environment
from stacklab.base.hardware import ended
from stacklab.study.engines.signals import STOP_SIGNALS
from stacklab.study.engines.wire import LineReader, send

MODULE = "stacklab.study.engines.server"


class Connection:
    """A running server. Its environment is set before it imports torch, which reads it once.

    ready: whether it has imported everything, so that runs can be started.
    """

    def __init__(self, *, target: str, threads: int, preload: Sequence[str]) -> None:
        reply, child_reply = os.pipe()
        self._process = _launch(child_reply, threads)
        self.ready = False
        os.close(child_reply)
        assert self._process.stdin is not None and self._process.stdout is not None
        self._commands = self._process.stdin.fileno()
        self._replies, self._prints = LineReader(reply), LineReader(self._process.stdout.fileno())
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._replies.handle, selectors.EVENT_READ)
        self._selector.register(self._prints.handle, selectors.EVENT_READ)
        send(
            self._commands,
            {
                "parent": os.getpid(),
                "path": [os.path.abspath(entry) for entry in sys.path],  # noqa: PTH100  "" is the current folder
                "preload": list(preload),
                "target": target,
                "threads": threads,
            },
        )

    def start(self, job: int, folders: Sequence[str], *, together: str | None, device: str | None, ranks: int) -> None:
        """together: dotted path of the function that trains several runs in one process; None for a single run. ranks:
        the number of processes that train a single run."""
        command = {"job": job, "folders": list(folders), "together": together, "device": device, "ranks": ranks}
        send(self._commands, command)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to every worker."""
        send(self._commands, {"signal": int(number)})

    @property
    def alive(self) -> bool:
        """False when the server and all its workers are gone."""
        return self._replies.open

    def read(self, seconds: float) -> tuple[list[str], list[dict[str, Any]]]:
        """(lines that workers printed, messages), waiting at most `seconds` for the first.

        The output of a worker arrives with or before the message of its end. Raises StacklabError when the server
        cannot start, LimitError where a limit of the machine is the reason.
        """
        ready = {key.fd for key, _ in self._selector.select(seconds)}
        prints = self._take(self._prints) if self._prints.handle in ready else []
        replies = self._take(self._replies) if self._replies.handle in ready else []
        messages = [json.loads(line) for line in replies]
        self.ready = self.ready or any("ready" in message for message in messages)
        if not self.ready and (messages or not self.alive):
            said, code = (messages[0]["error"], 0) if messages else ("\n".join(prints), self._process.wait())
            raise ended("the workers cannot start", code, said)
        return prints, [message for message in messages if "job" in message]

    def _take(self, reader: LineReader) -> list[str]:
        lines = reader.read()
        if not reader.open:
            self._selector.unregister(reader.handle)
        return lines

    def close(self) -> None:
        """Close the server's input, and wait until it and its remaining workers have ended."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._selector.close()
        if not self.ready:
            self._process.kill()
        self._process.stdin.close()
        # Workers that still print must not block on a pipe that nobody empties.
        self._process.stdout.close()
        os.close(self._replies.handle)
        self._process.wait()


def _launch(reply: int, threads: int) -> subprocess.Popen[bytes]:
    environment = training_environment() | {"OMP_NUM_THREADS": str(threads)}
    # OpenBLAS starts threads when numpy is imported; a process that forks should have none.
    environment.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Unbuffered, a printed line and its end are two writes, between which another worker may print.
    environment.pop("PYTHONUNBUFFERED", None)
    # The server inherits the blocked signals: Ctrl-C goes to the whole group, and it must not die of it, ever.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", MODULE, str(reply)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            pass_fds=[reply],
            env=environment,
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
