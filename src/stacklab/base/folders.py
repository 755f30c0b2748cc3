"""Atomic folders, which are whole or absent: filled beside, then renamed into place."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from stacklab.base.errors import DiskError, StacklabError
from stacklab.base.files import disk_error


def write_folder(folder: Path, fill: Callable[[Path], None], *, replace: bool = False) -> None:
    """Let `fill` write into a new folder beside `folder`, then rename it.

    replace: also replaces an existing folder, and removes what interrupted writers of it left; the caller must hold a
    lock on it. If `fill` raises, `folder` stays as it was, and the message names it. Raises DiskError when the disk is
    full, the parent cannot be written, `folder` is a link, or, without `replace`, exists and is not empty.
    """
    aside: Path | None = None
    try:
        if folder.is_symlink():
            raise DiskError(f"{folder}: is a link, which no folder can replace; name where it leads, or delete it")
        folder.parent.mkdir(parents=True, exist_ok=True)
        if replace:
            _remove_unfinished(folder)
        aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".part", dir=folder.parent))
        aside.chmod(0o755)
        fill(aside)
        if replace and folder.exists():
            shutil.rmtree(folder)
        elif folder.exists() and any(folder.iterdir()):
            raise DiskError(f"{folder}: exists and is not empty; choose another folder or delete it")
        aside.rename(folder)
    except OSError as error:
        raise disk_error(folder, error) from error
    except StacklabError as error:
        if aside is None or str(aside) not in str(error):
            raise
        raise type(error)(str(error).replace(str(aside), str(folder))) from error
    finally:
        if aside is not None:
            shutil.rmtree(aside, ignore_errors=True)


def _remove_unfinished(folder: Path) -> None:
    for part in folder.parent.glob(f".{folder.name}.*.part"):
        shutil.rmtree(part, ignore_errors=True)
