import errno
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from stacklab.base.errors import DataError, DiskError
from stacklab.base.files import append_line, iterate_lines, read_json, read_jsonl, write_json, write_text


def test_a_failed_write_leaves_the_old_file_and_no_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"old": 1})

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(DiskError, match=r"a\.json: cannot write \(No space left on device\)"):
        write_json(path, {"new": 2})
    assert read_json(path) == {"old": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]


def test_a_file_size_limit_is_a_disk_error(tmp_path: Path) -> None:
    """The operating system itself refuses the bytes, as a full disk does."""
    code = (
        "import resource, signal; from pathlib import Path; from stacklab.base.files import write_text\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        f"write_text(Path({str(tmp_path)!r}) / 'big', 'x' * 100_000)"
    )
    assert resource.RLIMIT_FSIZE
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "DiskError" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_numbers_that_are_not_finite_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        write_json(tmp_path / "a.json", {"loss": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_broken_json_names_line_and_column(tmp_path: Path) -> None:
    write_text(tmp_path / "a.json", '{\n "a": }')
    with pytest.raises(DataError, match=r"a\.json:2:7: not JSON"):
        read_json(tmp_path / "a.json")


def test_a_torn_last_line_is_dropped_and_a_broken_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    append_line(path, '{"step": 1}')
    with path.open("a") as handle:
        handle.write('{"step": 2')
    assert read_jsonl(path) == [{"step": 1}]
    write_text(path, '{"step": 1}\n{"st\n{"step": 3}\n')
    with pytest.raises(DataError, match=r"rows\.jsonl:2"):
        read_jsonl(path)


def test_bad_utf8_names_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"good\nb\xffd\n")
    with pytest.raises(DataError, match=r"a\.txt:2: not UTF-8 at byte 1"):
        list(iterate_lines(tmp_path / "a.txt"))
