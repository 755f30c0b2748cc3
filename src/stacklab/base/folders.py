"""Atomic folders, which are whole or absent: filled beside, then renamed into place."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from stacklab.base.errors import DiskError, StacklabError
from stacklab.base.files import disk_error


def write_folder(folder: Path, fill: Callable[[Path], None]) -> None:
    """Let `fill` write into a new folder beside `folder`, then rename it.

    If `fill` raises, nothing is left behind, and the message names `folder`. Raises DiskError when the disk is full,
    the parent cannot be written, or `folder` exists already, be it as a link.
    """
    aside: Path | None = None
    try:
        if folder.is_symlink():
            raise DiskError(f"{folder}: is a link, which no folder can replace; name where it leads, or delete it")
        folder.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".part", dir=folder.parent))
        aside.chmod(0o755)
        fill(aside)
        if folder.exists() and any(folder.iterdir()):
            raise DiskError(f"{folder}: exists and is not empty; choose another folder or delete it")
        aside.rename(folder)
    except OSError as error:
        raise disk_error(folder, error) from error
    except StacklabError as error:
        raise type(error)(str(error).replace(str(aside), str(folder))) from error
    finally:
        if aside is not None:
            shutil.rmtree(aside, ignore_errors=True)
