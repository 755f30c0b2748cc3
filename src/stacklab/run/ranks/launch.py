"""Executes one run on several cards: torchrun starts a rank for each (`rank`), and this process watches over them.

No torch here.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from stacklab.base import errors
from stacklab.base.env import training_environment
from stacklab.base.errors import RunLostError, StacklabError
from stacklab.base.files import read_bytes, read_json
from stacklab.base.text import say
from stacklab.run.paths import RunPaths
from stacklab.run.store import read_spec, read_status

LOOK_SECONDS = 0.2
LOST = re.compile(r"exitcode: (-?\d+)\) local_rank: (\d+)")
"""Where torchrun's log says how the first lost rank ended."""


class RankError(RuntimeError):
    """An error of a rank that is none of stacklab's own; its traceback is a note."""


class OutOfMemoryError(RankError):
    """Named as torch's: the memory of a rank's card was exhausted."""


def execute_on_ranks(folder: Path, *, ranks: int, threads: int, stop: Callable[[], bool]) -> str:
    """`execute` in `ranks` processes, each on one of the cards that this process may use.

    The ranks outlive neither the run nor, by more than a step, this process. When one is lost, the others are ended.
    """
    paths = RunPaths(folder)
    if not paths.result.exists():
        read_spec(paths).train.micro_batch_on(ranks)
        with tempfile.TemporaryDirectory(prefix="stacklab-ranks-") as scratch:
            stopped, code = _launch(folder, Path(scratch), ranks=ranks, threads=max(1, threads // ranks), stop=stop)
            if not stopped and not paths.result.exists():
                _raise_error(Path(scratch), code)
            # What ranks print, warnings for instance; torchrun itself writes only of ranks that are lost.
            if code == 0:
                say(read_bytes(Path(scratch) / "log").decode(errors="replace"), end="", whole=True)
            if not paths.result.exists():
                return "stopped"
    return read_status(paths)


def _launch(folder: Path, scratch: Path, *, ranks: int, threads: int, stop: Callable[[], bool]) -> tuple[bool, int]:
    """Whether the ranks were stopped, and torchrun's exit code."""
    stopped = False
    with (
        (scratch / "log").open("wb") as log,
        subprocess.Popen(
            _command(folder, scratch, ranks, threads),
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=_environment(threads),
            # A session of its own: Ctrl-C reaches this process, which lets the ranks save.
            start_new_session=True,
        ) as torchrun,
    ):
        assert torchrun.stdin is not None
        while torchrun.poll() is None:
            if not stopped and stop():
                stopped = True
                torchrun.stdin.close()
            try:
                torchrun.wait(LOOK_SECONDS)
            except subprocess.TimeoutExpired:
                continue
    return stopped, torchrun.returncode


def _command(folder: Path, scratch: Path, ranks: int, threads: int) -> list[str]:
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--local-addr", "127.0.0.1"]
    options = ["--nproc-per-node", str(ranks), "--log-dir", str(scratch / "torchrun")]
    return [*torchrun, *options, "-m", "stacklab.run.ranks.rank", str(folder.absolute()), str(threads), str(scratch)]


def _environment(threads: int) -> dict[str, str]:
    """Modules are imported from where this process finds them, and the ranks meet on this machine alone."""
    path = os.pathsep.join(os.path.abspath(entry) for entry in sys.path)  # noqa: PTH100  "" is the current folder
    own = {"OMP_NUM_THREADS": str(threads), "PYTHONPATH": path, "PYTHONSAFEPATH": "1"}
    loopback = "lo0" if sys.platform == "darwin" else "lo"
    return {"GLOO_SOCKET_IFNAME": loopback} | training_environment() | own


def _raise_error(scratch: Path, code: int) -> NoReturn:
    """Raise the first error of a rank again, or RunLostError if a rank ended without one."""
    reports = [read_json(path) | {"rank": path.stem} for path in scratch.glob("*.json")]
    if not reports:
        raise RunLostError(_how_lost(scratch / "log", code))
    first = min(reports, key=lambda report: report["time"])
    own: Any = getattr(errors, first["kind"], None)
    if isinstance(own, type) and issubclass(own, StacklabError):
        raise own(first["message"])
    kind = OutOfMemoryError if "OutOfMemoryError" in first["lineage"] else RankError
    error = kind(f"rank {first['rank']}: {first['kind']}: {first['message']}")
    error.add_note(first["traceback"])
    raise error


def _how_lost(log: Path, code: int) -> str:
    lost = LOST.search(read_bytes(log).decode(errors="replace"))
    if lost is None:
        return f"torchrun ended with exit code {code}"
    code, rank = int(lost[1]), lost[2]
    return f"rank {rank} was killed by signal {-code}" if code < 0 else f"rank {rank} ended with exit code {code}"
