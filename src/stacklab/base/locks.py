"""One command at a time in a folder: a file lock that names its holder."""

import contextlib
import json
import os
import platform
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from stacklab.base.errors import BusyError

POLL_SECONDS = 0.2


@contextlib.contextmanager
def exclusive(folder: Path, *, what: str, give_up: Callable[[], bool] = lambda: True) -> Iterator[None]:
    """Hold `folder` for this process. Another holder is waited for until `give_up()` is true; by default not at all.

    Raises BusyError naming the other holder. The lock belongs to the operating system, so a killed holder leaves
    nothing behind.
    """
    from filelock import FileLock, Timeout

    folder.mkdir(parents=True, exist_ok=True)
    holder = folder / ".lock.json"
    lock = FileLock(folder / ".lock")
    while True:
        try:
            lock.acquire(timeout=0)
            break
        except Timeout as error:
            if give_up():
                raise BusyError(
                    f"{folder}: {what} is in use by {_describe(holder)}; wait for it or choose another --out"
                ) from error
        time.sleep(POLL_SECONDS)
    try:
        holder.write_text(json.dumps({"pid": os.getpid(), "host": platform.node()}))
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def _describe(holder: Path) -> str:
    try:
        row = json.loads(holder.read_text())
        return f"process {row['pid']} on {row['host']}"
    except (OSError, ValueError, KeyError):
        return "another process"
