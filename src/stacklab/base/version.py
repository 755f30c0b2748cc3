"""The version of stacklab, which the distribution's metadata takes from here, and the commit of its source tree."""

from pathlib import Path

VERSION = "0.1.0"


def git_commit() -> str | None:
    """The commit of the source tree stacklab is imported from, with `-dirty` for local changes; None outside one."""
    import subprocess

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
