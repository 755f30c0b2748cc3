"""Runs one item of `scripts/gpu-check` within its time, and reads what it measured."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from stacklab.base.files import read_json
from stacklab.bench.gpu_check_items import ROOT, Item

STOP_SECONDS = 15.0
"""An item that resumes has this time to save its work; it is part of the time of the item."""
SHOWN_LINES = 80


def run_item(item: Item, limit: float, *, folder: Path) -> dict[str, Any]:
    """Run a command for at most `limit` seconds. state: ok, failed (another exit code than 0), or stopped."""
    began = time.monotonic()
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            [sys.executable, *item.arguments], stdout=output, stderr=errors, cwd=ROOT, process_group=0
        )
        try:
            code = process.wait(limit - STOP_SECONDS if item.resumes else limit)
            state = "failed" if code else "ok"
        except subprocess.TimeoutExpired:
            state = "stopped"
            if item.resumes:
                _stop(process)
        finally:
            # The group outlives its leader while any of its processes lives.
            _kill_group(process.pid)
            process.wait()
        lines = _last_lines(output)
        lines += [] if state == "ok" else ["", *_last_lines(errors)]
    return {
        "name": item.name,
        "state": state,
        "seconds": time.monotonic() - began,
        "command": [Path(sys.executable).name, *item.arguments],
        "figures": _figures(item, lines, folder),
        "text": "\n".join(lines).strip(),
    }


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        return


def _kill_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return


def _last_lines(file: Any) -> list[str]:
    file.seek(0)
    return [line.rstrip() for line in file.read().splitlines()[-SHOWN_LINES:]]


def _figures(item: Item, lines: Sequence[str], folder: Path) -> Any:
    """What the command measured: the content of its file; of a report its facts, and the report is copied."""
    if item.figures is not None:
        if not item.figures.exists():
            return None
        return read_junit(item.figures) if item.figures.suffix == ".xml" else read_json(item.figures)
    for line in lines:
        if line.startswith("report: "):
            source = (ROOT / line.removeprefix("report: ")).parent
            shutil.copytree(source, folder / "gpu-check-report", dirs_exist_ok=True)
            return read_json(source / "facts.json")
    return None


def read_junit(path: Path) -> dict[str, Any]:
    """The numbers of tests in a file of pytest, and the first line of what each failed test says."""
    (suite,) = ElementTree.parse(path).getroot().iter("testsuite")
    failed = {}
    for case in suite.iter("testcase"):
        for child in case:
            if child.tag in ("failure", "error"):
                failed[f"{case.get('classname')}.{case.get('name')}"] = (child.get("message") or "").splitlines()[:1]
    counts = {name: int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")}
    return counts | {"failed": failed}
