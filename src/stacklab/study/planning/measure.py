"""Measurements in a process of their own, with the environment and threads of a run; their results are stored."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from stacklab.base.env import training_environment
from stacklab.base.errors import DataError
from stacklab.base.hardware import ended, processor_name
from stacklab.base.locks import exclusive
from stacklab.base.spec import Spec
from stacklab.data.integrity import read_whole, write_whole
from stacklab.study.engines.machine import VISIBLE, gpus

S = TypeVar("S", bound=Spec)

MEND = "delete it to measure again"


def measured(measurement: str, question: str, out: Path, *, threads: int, mend: str, card: str | None = None) -> str:
    """The output of `python -m stacklab.run.timing MEASUREMENT` for the input `question`, both JSON.

    card: the only one that it sees, as in CUDA_VISIBLE_DEVICES; None leaves the choice as it is.
    Raises StacklabError when it fails, LimitError where a limit of the machine is the reason; the message ends in
    `mend`.
    """
    done = subprocess.run(
        [sys.executable, "-P", "-m", "stacklab.run.timing", measurement, os.fspath(out), str(threads)],
        input=question,
        capture_output=True,
        text=True,
        check=False,
        env=training_environment() | {"OMP_NUM_THREADS": str(threads)} | ({} if card is None else {VISIBLE: card}),
    )
    if done.returncode:
        error = ended("measuring a run failed", done.returncode, done.stderr)
        raise type(error)(f"{error}; {mend}")
    return done.stdout


def conditions(threads: int) -> dict[str, Any]:
    """What every measured time depends on: part of the key of a stored measurement."""
    return {"threads": threads, "processor": processor_name(), "gpu": bool(gpus())}


def kept(path: Path, kind: type[S], measure: Callable[[], S], *, what: str) -> S:
    """The measurement stored at `path`, made by `measure` if the file does not exist. One at a time, since measurements
    disturb each other.

    Raises DataError for a file that does not hold such a measurement.
    """
    if not path.exists():
        with exclusive(path.parent, what=what, give_up=lambda: False):
            if not path.exists():
                write_whole(path, measure().dump())
    try:
        return kind.model_validate(read_whole(path, mend=MEND))
    except ValidationError as error:
        raise DataError(f"{path}: not a stored measurement; {MEND}") from error
