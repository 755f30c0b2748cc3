"""One attempt at a run, with failures told apart: what the user can mend, and what is a bug."""

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import cast

from stacklab.base.errors import DataError, DiskError, StacklabError
from stacklab.base.files import read_json, write_json
from stacklab.run.paths import RunPaths
from stacklab.study.engines.protocol import Execute, RunEnd, Status


def attempt(execute: Execute, folder: Path, *, threads: int, stop: Callable[[], bool]) -> tuple[Status, str]:
    """Call `execute`; (status, reason). A failure is also written to the run's error.json."""
    try:
        status = cast(Status, execute(folder, threads=threads, stop=stop))
    except StacklabError as error:
        reason = str(error)
        record_failure(folder, reason, details=None)
        return "failed", reason
    except (Exception, SystemExit) as error:  # noqa: BLE001  the other runs must go on, and the traceback is kept
        reason = one_line(f"{type(error).__name__}: {error}")
        if record_failure(folder, reason, details=traceback.format_exc()):
            reason = f"{reason} (traceback in {RunPaths(folder).error})"
        return "failed", reason
    return status, recorded_reason(folder)


def record_failure(folder: Path, reason: str, *, details: str | None) -> bool:
    """Write error.json. False when that cannot be done either: the reason still reaches the user."""
    try:
        write_json(RunPaths(folder).error, {"error": reason, "traceback": details})
    except DiskError:
        return False
    return True


def already_done(folder: Path) -> RunEnd | None:
    """The end of a run that has its result. A result that cannot be read is left to `execute` to complain about."""
    try:
        row = read_json(RunPaths(folder).result)
        return RunEnd(folder, row["status"], row.get("reason", ""), attempts=0)
    except (DataError, KeyError, TypeError, AttributeError):
        return None


def recorded_reason(folder: Path) -> str:
    end = already_done(folder)
    return end.reason if end else ""


def one_line(text: str) -> str:
    return " ".join(text.split())
