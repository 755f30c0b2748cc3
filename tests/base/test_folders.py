import os
import subprocess
import sys
from pathlib import Path

import pytest

from stacklab.base.errors import DataError, DiskError
from stacklab.base.files import append_line, write_text
from stacklab.base.folders import check_output, inner_folder, remove_unfinished, write_folder


def fill(aside: Path) -> None:
    (aside / "new").write_text("new")


def half(aside: Path) -> None:
    fill(aside)
    raise DataError(f"{aside}/new: not enough text")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "old").write_text("old")
    return folder


def test_a_folder_with_files_is_kept_unless_it_may_be_replaced(folder: Path) -> None:
    with pytest.raises(DiskError, match="exists and is not empty"):
        write_folder(folder, fill)
    assert [path.name for path in folder.iterdir()] == ["old"]
    write_folder(folder, fill, replace=True)
    assert [path.name for path in folder.iterdir()] == ["new"]


@pytest.mark.parametrize("replace", [False, True])
def test_a_failed_write_changes_nothing_and_names_the_folder(folder: Path, *, replace: bool) -> None:
    with pytest.raises(DataError) as caught:
        write_folder(folder, half, replace=replace)
    assert str(caught.value) == f"{folder}/new: not enough text"
    assert [path.name for path in folder.iterdir()] == ["old"]
    assert [path.name for path in folder.parent.iterdir()] == ["data"]


HALF = """
import os, sys; from pathlib import Path; from stacklab.base.folders import write_atomically, write_folder
def half(part):
    (part / "big" if part.is_dir() else part).write_bytes(bytes(1000))
    print(part, flush=True)
    sys.stdin.read()
{write}(Path(sys.argv[1]), half)
"""


@pytest.mark.parametrize("write", ["write_folder", "write_atomically"])
def test_what_a_killed_writer_left_is_removed_and_what_a_live_one_writes_is_kept(tmp_path: Path, write: str) -> None:
    foreign = tmp_path / ".film.mp4.abc.part"
    foreign.write_text("of another program")
    command = [sys.executable, "-c", HALF.format(write=write), str(tmp_path / "a")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        part = Path(writer.stdout.readline().strip())
        remove_unfinished.cache_clear()
        write_text(tmp_path / "b", "b")
        assert part.exists()
        writer.kill()
        writer.wait()
    write_text(tmp_path / "c", "c")
    assert part.exists(), "one look per process"
    remove_unfinished.cache_clear()
    write_text(tmp_path / "c", "c")
    assert sorted(path.name for path in tmp_path.iterdir()) == [foreign.name, "b", "c"]


@pytest.mark.parametrize("kind", ["link", "broken link", "pipe", "folder", "device"])
def test_what_is_no_file_is_not_written_to_or_replaced(tmp_path: Path, kind: str) -> None:
    path, victim = tmp_path / "a", tmp_path / "victim"
    victim.write_text("precious\n")
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "device":
        path = Path("/dev/null")
    else:
        path.symlink_to(victim if kind == "link" else tmp_path / "nowhere")
    before = path.lstat().st_ino
    words = r"is a link, which is not written through" if "link" in kind else f"is a {kind}, which no file can replace"
    with pytest.raises(DiskError, match=f"{path}: {words}"):
        write_text(path, "text")
    with pytest.raises(DiskError, match=f"{path}: {words}"):
        append_line(path, "text")
    assert path.lstat().st_ino == before
    assert victim.read_text() == "precious\n"
    assert not (tmp_path / "nowhere").exists()


def test_an_output_that_is_an_input_is_refused_by_whatever_name(tmp_path: Path) -> None:
    log, events = tmp_path / "log.txt", tmp_path / "events"
    log.write_text("step 1")
    events.mkdir()
    (events / "a").write_text("a")
    (tmp_path / "hard").hardlink_to(log)
    (tmp_path / "link").symlink_to(events)
    for out in (log, tmp_path / "hard", events / ".." / "log.txt", events / "a", tmp_path / "link" / "a"):
        with pytest.raises(DiskError, match="is read by this command"):
            check_output(out, [tmp_path / "missing", log, events])
    check_output(tmp_path / "new.json", [log, events])
    check_output(events / "new.json", [log, events])


def test_a_link_inside_an_output_folder_is_not_followed_and_the_folder_may_be_one(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to("disk")
    assert inner_folder(tmp_path / "out", "report").is_dir()
    (tmp_path / "out" / "report" / "figures").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DiskError, match="figures: is a link"):
        inner_folder(tmp_path / "out", "report", "figures")


def test_a_link_is_not_replaced_and_the_message_names_it(tmp_path: Path) -> None:
    link = tmp_path / "None"
    link.symlink_to(tmp_path / "nowhere")
    with pytest.raises(DiskError, match=f"{link}: is a link"):
        write_folder(link, fill, replace=True)
