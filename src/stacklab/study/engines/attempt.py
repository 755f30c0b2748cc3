"""One attempt at a run. Failures that the user can fix are distinguished from bugs."""

import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import cast

from stacklab.base.errors import DataError, DiskError, RunLostError, StacklabError
from stacklab.base.files import read_json, write_json
from stacklab.base.hardware import limit_reached
from stacklab.base.units import size
from stacklab.run.paths import RunPaths
from stacklab.run.store import read_spec
from stacklab.study.engines.protocol import LOST, OUT_OF_MEMORY, Execute, ExecuteTogether, RunEnd, Status, Unfinished

PHRASES = (
    "CUDA error: out of memory",
    "Triton Error [CUDA]: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "MPS backend out of memory",
)
"""In the message of a RuntimeError, where the allocation did not go through torch's own allocator for CUDA."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the memory of the card was exhausted, also where a compiler wraps the error. Memory of the host does not
    count: another run on the card has no part in it."""
    return any(
        any(kind.__name__ == "OutOfMemoryError" for kind in type(one).__mro__)
        or (isinstance(one, RuntimeError) and any(phrase in str(one) for phrase in PHRASES))
        for one in _causes(error)
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def out_of_memory() -> str:
    """The reason, with the card and its memory where torch can tell; called in the process of the run."""
    try:
        # Only a process that has imported torch can have used the card.
        card = sys.modules["torch"].cuda.get_device_properties(0)
    except Exception:  # noqa: BLE001  after an error of CUDA nothing is certain, and the reason stands without it
        return "out of GPU memory"
    return f"out of GPU memory ({card.name}, {size(card.total_memory)})"


def smaller(folder: Path) -> str:
    """The nearest setting with which a run needs less memory."""
    try:
        train = read_spec(RunPaths(folder)).train
    except StacklabError:
        return "a smaller train.micro_batch_size needs less"
    parts = [part for part in range(1, train.micro_batch) if train.batch_size % part == 0]
    if parts:
        return f"train.micro_batch_size={parts[-1]} needs less (same batch, accumulated)"
    return "with micro-batches of 1, only a smaller model.d_model, model.num_layers or data.block_size needs less"


def attempt(
    execute: Execute, folder: Path, *, threads: int, stop: Callable[[], bool], ranks: int = 1
) -> tuple[Status | Unfinished, str]:
    """Call `execute` and return (status, reason). A failure is also written to the run's error.json; a card out of
    memory and a lost process are left to the engine, which may try the run again."""
    on_ranks = {"ranks": ranks} if ranks > 1 else {}
    try:
        status = cast(Status, execute(folder, threads=threads, stop=stop, **on_ranks))
    except (Exception, SystemExit) as error:  # noqa: BLE001  the other runs must go on, and the traceback is kept
        return _failed(folder, error)
    return status, recorded_reason(folder)


def attempt_together(
    execute: ExecuteTogether,
    folders: Sequence[Path],
    *,
    stop: Callable[[], bool],
    tell: Callable[[Path, Status | Unfinished, str], None],
) -> None:
    """Call `execute`; `tell` is called once per folder with its end. An error is that of all runs that have not
    ended."""
    waiting = list(folders)

    def ended(folder: Path, status: str, reason: str) -> None:
        waiting.remove(folder)
        if status == "failed":
            record_failure(folder, reason, details=None)
        tell(folder, cast(Status, status), reason)

    try:
        execute(folders, stop=stop, ended=ended)
    except (Exception, SystemExit) as error:  # noqa: BLE001  as above
        for folder in waiting:
            tell(folder, *_failed(folder, error))


def _failed(folder: Path, error: BaseException) -> tuple[Status | Unfinished, str]:
    """The status, and the reason in one line. A failure is recorded; the traceback of a bug goes to error.json."""
    if is_out_of_memory(error):
        return OUT_OF_MEMORY, out_of_memory()
    if isinstance(error, RunLostError):
        return LOST, str(error)
    return "failed", _recorded(folder, error)


def _recorded(folder: Path, error: BaseException) -> str:
    error = limit_reached(error) or error
    if isinstance(error, StacklabError):
        record_failure(folder, str(error), details=None)
        return str(error)
    reason = one_line(f"{type(error).__name__}: {error}")
    if record_failure(folder, reason, details="".join(traceback.format_exception(error))):
        return f"{reason} (traceback in {RunPaths(folder).error})"
    return reason


def fail_for_memory(folder: Path, reason: str) -> str:
    """Record that a run with a card to itself was out of memory; returns the whole reason."""
    reason = f"{reason}, with the card to itself; {smaller(folder)}"
    record_failure(folder, reason, details=None)
    return reason


def record_failure(folder: Path, reason: str, *, details: str | None) -> bool:
    """Write error.json. False when that fails too: the reason still reaches the user."""
    try:
        write_json(RunPaths(folder).error, {"error": reason, "traceback": details})
    except DiskError:
        return False
    return True


def already_done(folder: Path) -> RunEnd | None:
    """The end of a run that has a result, else None. An unreadable result is left for `execute` to report."""
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
