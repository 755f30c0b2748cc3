"""One command at a time in a folder: a file lock that names its holder."""

import contextlib
import os
import platform
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from stacklab.base.errors import BusyError, DataError
from stacklab.base.files import read_json, write_json
from stacklab.base.folders import disk_error, disk_errors

POLL_SECONDS = 0.2


@contextlib.contextmanager
def exclusive(folder: Path, *, what: str, give_up: Callable[[], bool] = lambda: True) -> Iterator[None]:
    """Hold `folder` for this process. Another holder is waited for until `give_up()` is true; by default not at all.

    Raises BusyError naming the other holder. The lock belongs to the operating system, so a killed holder leaves
    nothing behind.
    """
    from filelock import FileLock, Timeout

    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    lock_file, holder = folder / ".lock", folder / ".lock.json"
    lock = FileLock(lock_file)
    while True:
        try:
            lock.acquire(timeout=0)
            break
        except Timeout as error:
            if give_up():
                raise BusyError(
                    f"{folder}: {what} is in use by {_describe(holder)}; wait for it or choose another --out"
                ) from error
        except OSError as error:
            raise disk_error(lock_file, error) from error
        time.sleep(POLL_SECONDS)
    try:
        # What stands there may be a link that someone else made.
        _remove(holder)
        write_json(holder, {"pid": os.getpid(), "host": platform.node()})
        yield
    finally:
        _remove(holder)
        lock.release()


def _describe(holder: Path) -> str:
    try:
        row = read_json(holder)
        return f"process {row['pid']} on {row['host']}"
    except (DataError, TypeError, KeyError):
        return "another process"


def _remove(holder: Path) -> None:
    with contextlib.suppress(OSError):
        holder.unlink(missing_ok=True)
