"""The commit of the source tree."""

import subprocess
from pathlib import Path


def git_commit() -> str | None:
    """The commit of the source tree stacklab is imported from, with `-dirty` for local changes; None outside one."""
    folder = Path(__file__).parent
    try:
        return subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
