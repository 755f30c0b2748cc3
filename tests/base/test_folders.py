from pathlib import Path

import pytest

from stacklab.base.errors import DataError, DiskError
from stacklab.base.folders import write_folder


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


def test_only_a_replacing_write_removes_unfinished_folders(folder: Path) -> None:
    unfinished = folder.parent / ".data.abc.part"
    unfinished.mkdir()
    write_folder(folder.parent / "other", fill, replace=True)
    with pytest.raises(DiskError):
        write_folder(folder, fill)
    assert unfinished.exists()
    write_folder(folder, fill, replace=True)
    assert not unfinished.exists()


def test_a_link_is_not_replaced_and_the_message_names_it(tmp_path: Path) -> None:
    link = tmp_path / "None"
    link.symlink_to(tmp_path / "nowhere")
    with pytest.raises(DiskError, match=f"{link}: is a link"):
        write_folder(link, fill, replace=True)
