"""Measuring in a process of its own, with the environment and the threads that a run gets."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from stacklab.base.env import training_environment
from stacklab.base.errors import StacklabError
from stacklab.base.locks import exclusive


def measured(module: str, specs: str, out: Path, *, threads: int, mend: str) -> str:
    """What `python -m module OUT THREADS` answers to `specs`. Raises StacklabError, ending in `mend`, when it fails."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", module, os.fspath(out), str(threads)],
        input=specs,
        capture_output=True,
        text=True,
        check=False,
        env=training_environment() | {"OMP_NUM_THREADS": str(threads)},
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise StacklabError(f"measuring a run failed: {last}; {mend}")
    return done.stdout


def once(path: Path, measure: Callable[[], None], *, what: str) -> None:
    """Let `measure` write `path` unless it exists; one at a time, since measurements would disturb each other."""
    if path.exists():
        return
    with exclusive(path.parent, what=what, give_up=lambda: False):
        if not path.exists():
            measure()
