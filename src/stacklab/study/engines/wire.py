"""JSON lines over a pipe. A line shorter than PIPE_BUF is written whole, so that many processes can share one pipe."""

import contextlib
import json
import os
from typing import Any

REASON_CHARACTERS = 500
"""Keeps a line below 4,096 bytes even when every character is escaped."""


def send(handle: int, message: dict[str, Any]) -> None:
    """Write one line. A closed pipe is no error here: each side notices it when reading from its own pipe."""
    with contextlib.suppress(BrokenPipeError):
        os.write(handle, json.dumps(message).encode() + b"\n")


class LineReader:
    def __init__(self, handle: int) -> None:
        self.handle = handle
        self.open = True
        self._rest = b""

    def read(self) -> list[str]:
        """The complete lines available; waits if there is nothing to read. `open` is False at the end of file."""
        data = os.read(self.handle, 65536)
        self.open = bool(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        if not data and self._rest:
            lines, self._rest = [*lines, self._rest], b""
        return [line.decode(errors="replace") for line in lines]
