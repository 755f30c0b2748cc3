"""What is written: files and folders that are whole or absent, filled beside and renamed into place. Links are left."""

import contextlib
import errno
import fcntl
import functools
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from stacklab.base.errors import DiskError, StacklabError

PART = ".stacklab.part"
"""The end of the names of unfinished files and folders."""

MENDS = {
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EFBIG: "the limit of file sizes (ulimit -f) is too low; raise it, or choose another --out",
    errno.ELOOP: "it is a link, which is not written through; delete it",
    errno.EMFILE: "the limit of open files (ulimit -n) is too low; raise it",
    errno.EDQUOT: "the quota of the disk is used up; free some space or choose another --out",
}


def write_folder(folder: Path, fill: Callable[[Path], None], *, replace: bool = False) -> None:
    """Let `fill` write into a new folder beside `folder`, then rename it.

    replace: also replaces an existing folder; the caller must hold a lock on it. If `fill` raises, `folder` stays as it
    was, and the message names it. Raises DiskError when the disk is full, the parent cannot be written, `folder` is a
    link or a file, or, without `replace`, exists and is not empty.
    """
    with disk_errors(folder), part_beside(folder, _make_folder) as aside:
        check_target(folder, stat.S_IFDIR)
        aside.chmod(0o755)
        try:
            fill(aside)
        except StacklabError as error:
            if str(aside) not in str(error):
                raise
            raise type(error)(str(error).replace(str(aside), str(folder))) from error
        if replace and folder.exists():
            shutil.rmtree(folder)
        elif folder.exists() and any(folder.iterdir()):
            raise DiskError(f"{folder}: exists and is not empty; choose another folder or delete it")
        aside.rename(folder)


def write_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a temporary file beside `path`, then rename it over `path`.

    Raises DiskError when the disk is full, the folder cannot be written, or something other than a file has the name;
    the old file, if any, is left as it was.
    """
    with disk_errors(path), part_beside(path, _make_file) as temporary:
        check_target(path, stat.S_IFREG)
        write(temporary)
        temporary.chmod(0o644)
        temporary.replace(path)


def check_output(path: Path, inputs: Iterable[Path]) -> None:
    """Raises DiskError when a file cannot be written at `path`, or would replace one of the inputs of the command: the
    same file by whatever name, or a file in an input folder."""
    check_target(path, stat.S_IFREG)
    if not path.exists():
        return
    for each in inputs:
        within = each.is_dir() and path.resolve().is_relative_to(each.resolve())
        if within or (each.exists() and path.samefile(each)):
            raise DiskError(f"{path}: is read by this command ({each}); write to another file")


def check_target(path: Path, kind: int) -> None:
    """Raises DiskError when something else than a `kind` (S_IFREG or S_IFDIR) has the name, a link included."""
    try:
        mode = path.lstat().st_mode
    except OSError:
        return
    if stat.S_ISLNK(mode):
        raise DiskError(f"{path}: is a link, which is not written through; name where it leads, or delete it")
    if stat.S_IFMT(mode) != kind:
        wanted = "file" if kind == stat.S_IFREG else "folder"
        raise DiskError(f"{path}: is {kind_of(mode)}, which no {wanted} can replace; choose another name or delete it")


def kind_of(mode: int) -> str:
    """What a path leads to, in words, from its mode."""
    names = {stat.S_IFREG: "a file", stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
    return names.get(stat.S_IFMT(mode), "a device")


def inner_folder(root: Path, *names: str) -> Path:
    """The folder `names` below `root`, made where it is missing. Raises DiskError where a part of it is a link or a
    file: only `root` may be, or lie behind, a link."""
    folder = root
    for name in names:
        folder /= name
        check_target(folder, stat.S_IFDIR)
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextlib.contextmanager
def part_beside(path: Path, make: Callable[[Path], tuple[Path, int]]) -> Iterator[Path]:
    """A new file or folder beside `path`, which `make` opens, removed at the end if it is still there.

    It is locked while its writer lives, which tells it from what killed writers left: the first write of a process into
    a folder removes that.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_unfinished(path.parent)
    part, handle = _locked(path, make)
    try:
        yield part
    finally:
        os.close(handle)
        _remove(part)


def _locked(path: Path, make: Callable[[Path], tuple[Path, int]]) -> tuple[Path, int]:
    """The new file or folder, and an open handle that holds a lock on it."""
    while True:
        part, handle = make(path)
        # Some network disks know no locks; what remains there is never removed.
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle).st_nlink:
            return part, handle
        os.close(handle)  # another process removed it before it was locked


@functools.cache
def remove_unfinished(folder: Path) -> None:
    """Remove what killed writers left in a folder; once per process."""
    for part in folder.glob(f".*{PART}"):
        with contextlib.suppress(OSError):
            handle = os.open(part, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(part)
            finally:
                os.close(handle)


def _remove(part: Path) -> None:
    with contextlib.suppress(OSError):
        if part.is_dir() and not part.is_symlink():
            shutil.rmtree(part)
        else:
            part.unlink(missing_ok=True)


def _make_file(path: Path) -> tuple[Path, int]:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=PART, dir=path.parent)
    return Path(name), handle


def _make_folder(path: Path) -> tuple[Path, int]:
    part = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=PART, dir=path.parent))
    try:
        return part, os.open(part, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        _remove(part)
        raise


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Raise DiskError for an error of the operating system while `path` is written."""
    try:
        yield
    except OSError as error:
        raise disk_error(path, error) from error


def disk_error(path: Path, error: OSError) -> DiskError:
    """The error to raise for a failed write, with what to do about it."""
    mend = MENDS.get(error.errno or 0, "free some space or choose another --out")
    return DiskError(f"{path}: cannot write ({error.strerror or error}); {mend}")
