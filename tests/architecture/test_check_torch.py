"""scripts/check-torch: what it refuses before it installs anything, and that the project's environment is not in it."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "check-torch"


@pytest.mark.parametrize("arguments", [(), ("2.6",), ("latest",), ("2.6.0", "--keep")], ids=" ".join)
def test_a_call_without_a_whole_version_is_refused(arguments: tuple[str, ...]) -> None:
    done = subprocess.run([SCRIPT, *arguments], capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: scripts/check-torch VERSION")


def test_the_environment_of_the_project_is_left_alone() -> None:
    commands = "\n".join(line for line in SCRIPT.read_text().splitlines() if not line.startswith("#"))
    assert ".venv" not in commands and "scripts/bootstrap" not in commands


def test_the_folders_that_it_tests_exist() -> None:
    (folders,) = re.findall(r"tests/\{([\w,]+)\}", SCRIPT.read_text())
    assert all((ROOT / "tests" / name).is_dir() for name in folders.split(","))
