"""Runs command lines of stacklab in forks of a process that has imported everything: some milliseconds each.

Started as a program, this file is the server: it reads a JSON line per command, replies with the process id and, when
the command has ended, with how it ended. `Warm` is a client. A command that begins with `stacklab` runs in a fork;
any other is executed, for example `mount` where the server has a namespace of its own.
"""

import contextlib
import importlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import stacklab
from stacklab.base.env import training_environment

ROOT = Path(__file__).parents[2]
PRELOAD = (
    *("numpy", "pydantic", "yaml", "pandas", "pyarrow.csv", "pyarrow.parquet", "tokenizers", "rich.table"),
    *(
        "scipy.stats",
        "torch",
        "torch._dynamo",
        "safetensors.torch",
        "jinja2",
        "plotly.graph_objects",
        "statsmodels.api",
    ),
    *("matplotlib.pyplot", "datasets", "stacklab.api", "stacklab.audit.examine", "stacklab.run.execute_replicas"),
    *("stacklab.exchange.import_", "stacklab.report.pages.write", "stacklab.cli.main", "stacklab.study.engines.inline"),
)
MEMORY = 12 * 2**30
"""Bytes of addresses that a command may have: a runaway ends with an error rather than with the machine."""
POLL = 0.003
"""Seconds between two looks at a command."""


@dataclass(frozen=True)
class Ended:
    """How a command ended. code: None when it was stopped at the limit of time; negative for a signal."""

    code: int | None
    out: str
    err: str
    seconds: float

    @property
    def text(self) -> str:
        return self.out + self.err


class Warm:
    """A server and its client: one command at a time. namespace: the server may mount file systems of its own."""

    def __init__(self, *, namespace: bool = False) -> None:
        start = ("unshare", "-rm") if namespace else ()
        environment = training_environment() | {"CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": path()}
        self._server = subprocess.Popen(
            [*start, sys.executable, "-P", "-m", "tests.campaign.warm"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env=environment,
        )
        self._read()

    def start(
        self,
        command: list[str],
        folder: Path,
        *,
        seconds: float = 60,
        environment: dict[str, str] | None = None,
        limits: dict[str, int] | None = None,
    ) -> int:
        """Start a command in `folder`; returns its process id. limits: name of an RLIMIT -> its value."""
        assert self._server.stdin is not None
        job = {"command": command, "folder": str(folder), "seconds": seconds}
        job |= {"environment": environment or {}, "limits": limits or {}}
        self._server.stdin.write(json.dumps(job).encode() + b"\n")
        self._server.stdin.flush()
        return int(self._read()["pid"])

    def end(self) -> Ended:
        """Wait for the end of the command that was started."""
        return Ended(**self._read())

    def run(self, command: list[str], folder: Path, **options: Any) -> Ended:
        self.start(command, folder, **options)
        return self.end()

    def close(self) -> None:
        assert self._server.stdin is not None and self._server.stdout is not None
        self._server.stdin.close()
        self._server.stdout.close()
        self._server.wait()

    def _read(self) -> dict[str, Any]:
        assert self._server.stdout is not None
        line = self._server.stdout.readline()
        assert line, "the server of the campaign has ended"
        return dict(json.loads(line))


def path() -> str:
    """PYTHONPATH of the server and of what it starts: where this process finds stacklab and the tests."""
    assert stacklab.__file__ is not None
    return os.pathsep.join((str(Path(stacklab.__file__).parents[1]), str(ROOT)))


def serve() -> None:
    for name in PRELOAD:
        importlib.import_module(name)
    replies = os.fdopen(os.dup(1), "w")
    _send(replies, {"ready": os.getpid()})
    for line in sys.stdin:
        job = json.loads(line)
        scratch = Path(f"/tmp/stacklab-campaign-{os.getpid()}")
        scratch.mkdir(exist_ok=True)
        out, err = scratch / "out", scratch / "err"
        began = time.monotonic()
        pid = os.fork()
        if pid == 0:
            _become(job, out, err)
        _send(replies, {"pid": pid})
        code = _wait(pid, began + job["seconds"])
        texts = {"out": out.read_text(errors="replace"), "err": err.read_text(errors="replace")}
        _send(replies, {"code": code, **texts, "seconds": time.monotonic() - began})
        shutil.rmtree(scratch)
    # What was imported need not be taken down in order.
    os._exit(0)


def _send(replies: Any, message: dict[str, Any]) -> None:
    replies.write(json.dumps(message) + "\n")
    replies.flush()


def _wait(pid: int, until: float) -> int | None:
    """The exit code of a process; None when it and its group had to be killed at `until`."""
    while time.monotonic() < until:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(POLL)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None


def _become(job: dict[str, Any], out: Path, err: Path) -> None:
    """Turn a fork into the command; never returns."""
    code = 1
    try:
        os.setpgid(0, 0)
        os.chdir(job["folder"])
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for number, file in ((1, out), (2, err)):
            os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
        os.environ.update(job["environment"])
        for name, value in ({"RLIMIT_AS": MEMORY, "RLIMIT_CORE": 0} | job["limits"]).items():
            resource.setrlimit(getattr(resource, name), (value, value))
        if job["command"][0] != "stacklab":
            os.execvp(job["command"][0], job["command"])
        code = _stacklab(job["command"])
    except BaseException:  # noqa: BLE001  as Python itself prints what nothing catches
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)


def _stacklab(command: list[str]) -> int:
    """What the program `stacklab` does in a process of its own."""
    from stacklab.cli.main import main

    sys.argv = command
    # Ctrl-C reaches a program that a shell starts; a child in the background inherits that it is ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        main()
    except SystemExit as ending:
        return ending.code if isinstance(ending.code, int) else int(ending.code is not None)


if __name__ == "__main__":
    serve()
