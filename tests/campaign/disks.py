"""Fills disks and other limits of the machine at every size; then gives room and runs the same command again."""

import random
import shlex
import shutil
import subprocess
from pathlib import Path

from tests.campaign.ground import command, differences, digest, finished, lay
from tests.campaign.outcomes import Tally, judge
from tests.campaign.warm import Warm

PAGE = 4096
"""Bytes in which a file system in memory grows."""
KILO = 1024


def can_mount() -> bool:
    """Whether this user may have a namespace with file systems of its own."""
    try:
        mount = ["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
        return subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def fill_disks(warm: Warm, reference: Path, data: str, tally: Tally, scratch: Path, *, whole: int) -> None:
    """Run the study on file systems of `whole` sizes (times the scale), from nothing to what it needs. `warm` has a
    namespace of its own."""
    expected = digest(reference / "o")
    needs = sum(-(-path.stat().st_size // PAGE) + 1 for path in (reference / "o").rglob("*"))
    for pages in _sizes(needs, tally, whole):
        folder = scratch / f"{pages}"
        lay(folder, data)
        (folder / "o").mkdir()
        _must(warm, ["mount", "-t", "tmpfs", "-o", f"size={pages * PAGE // KILO}k", "tmpfs", "o"], folder)
        outcome, seen = judge(warm.run(command(data), folder))
        _must(warm, ["cp", "-r", "o", "before"], folder)
        _must(warm, ["mount", "-o", "remount,size=256m", "o"], folder)
        again, why = judge(warm.run(command(data), folder))
        _must(warm, ["cp", "-r", "o", "after"], folder)
        _must(warm, ["umount", "o"], folder)
        ends = _ends(outcome, seen, again, why, folder, expected)
        tally.add(*ends, command=f"a disk of {pages} pages\n{shlex.join(command(data))}", folder=folder)
        shutil.rmtree(folder)


def limit(warm: Warm, reference: Path, data: str, tally: Tally, scratch: Path, *, name: str, whole: int) -> None:
    """Run the study under `whole` values of a limit (times the scale): RLIMIT_FSIZE, the size of files, in bytes, or
    RLIMIT_NOFILE, the number of open ones."""
    expected = digest(reference / "o")
    largest = max(path.stat().st_size for path in (reference / "o").rglob("*")) if name == "RLIMIT_FSIZE" else 40
    # The texts of the command go to files as well.
    least = PAGE if name == "RLIMIT_FSIZE" else 4
    for number, step in enumerate(_sizes(largest - least, tally, whole)):
        folder = scratch / f"{number}"
        lay(folder, data)
        outcome, seen = judge(warm.run(command(data), folder, limits={name: least + step}))
        shutil.copytree(folder / "o", folder / "before", dirs_exist_ok=True) if (folder / "o").exists() else None
        again, why = judge(warm.run(command(data), folder))
        (folder / "o").rename(folder / "after")
        ends = _ends(outcome, seen, again, why, folder, expected)
        tally.add(*ends, command=f"{name} {least + step}\n{shlex.join(command(data))}", folder=folder)
        shutil.rmtree(folder)


def _sizes(most: int, tally: Tally, whole: int) -> list[int]:
    """All sizes up to `most`, or as many as are wanted."""
    count = min(most, tally.settings.count(whole))
    return sorted(random.Random(tally.settings.seed).sample(range(1, most + 1), count))


def _must(warm: Warm, one: list[str], folder: Path) -> None:
    ended = warm.run(one, folder)
    assert ended.code == 0, ended.text


def _ends(outcome: str, seen: str, again: str, why: str, folder: Path, expected: dict[str, str]) -> tuple[str, str]:
    """The outcome of a command without room, and of the same command with room."""
    before, after = finished(folder / "before"), digest(folder / "after")
    if outcome in ("traceback", "hang", "silent"):
        return outcome, seen
    if gone := [path for path in differences(finished(folder / "after"), before) if path in before]:
        return "lost", f"{gone[0]} of a finished run changed"
    if again == "refused":
        return "lost", f"{seen}; with room: {why}"
    if again != "survived":
        return again, f"{seen}; with room: {why}"
    if wrong := differences(after, expected):
        return "silent", f"{seen}; with room other results: {', '.join(wrong[:3])}"
    if left := [path.name for path in (folder / "after").rglob("*.part")]:
        return "lost", f"{seen}; left behind: {left[0]}"
    return outcome, seen
