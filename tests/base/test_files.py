import codecs
import errno
import gzip
import os
import resource
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow
import pytest

from stacklab.base.errors import DataError, DiskError
from stacklab.base.files import (
    append_line,
    encoded_lines,
    open_regular,
    read_bytes,
    read_json,
    read_jsonl,
    read_text,
    regular,
    whole,
    write_json,
    write_text,
)


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


TEXT = "erste é\r\n\nletzte" + " länger als der Kopf" * 9
ENCODED = {
    "plain": TEXT.encode(),
    "utf-8 with a mark": TEXT.encode("utf-8-sig"),
    "utf-16": TEXT.encode("utf-16"),
    "utf-16 of the other order": codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
    "utf-32": TEXT.encode("utf-32"),
}


@pytest.mark.parametrize("data", ENCODED.values(), ids=ENCODED)
@pytest.mark.parametrize("pack", [bytes, gzip.compress, lambda data: pyarrow.compress(data, "zstd", asbytes=True)])
def test_marks_are_no_content_and_packed_files_are_unpacked(
    tmp_path: Path, data: bytes, pack: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "a"
    path.write_bytes(pack(data))
    assert read_text(path) == TEXT
    assert [(number, line.decode()) for number, line in encoded_lines(path)] == [
        (number, line.removesuffix("\r")) for number, line in enumerate(TEXT.split("\n"), start=1)
    ]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"good\nb\xffd\n", r"a: not UTF-8 at byte 6; save it as UTF-8"),
        ("ab".encode("utf-16") + b"\0\xd8a\0", r"a: not UTF-16 at byte 6"),
        ("no mark".encode("utf-16-le"), r"a: looks like UTF-16LE without a byte order mark; convert it .*iconv"),
        ("no mark".encode("utf-16-be"), r"a: looks like UTF-16BE without"),
        (gzip.compress(b"word " * 99, mtime=0)[:20], r"a: not a whole gzip file"),
        (pyarrow.compress(b"word " * 99, "zstd", asbytes=True)[:20], r"a: not a whole zstd file"),
    ],
)
def test_what_is_no_text_is_named(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(DataError, match=message) as caught:
        read_text(tmp_path / "a")
    assert "\n" not in str(caught.value)
    if b"\xff" not in data[1:]:
        with pytest.raises(DataError, match=message):
            list(encoded_lines(tmp_path / "a"))


def test_a_line_that_is_not_utf8_does_not_end_the_lines(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"good\nb\xffd\ngood\n")
    assert list(encoded_lines(tmp_path / "a")) == [(1, b"good"), (2, b"b\xffd"), (3, b"good")]


def test_half_of_a_surrogate_pair_is_written_as_its_escape(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"text": "owl \ud83d"})
    assert read_json(tmp_path / "a.json") == {"text": "owl \ud83d"}
    append_line(tmp_path / "rows.jsonl", '{"text": "\udc00"}')
    assert read_jsonl(tmp_path / "rows.jsonl") == [{"text": "\udc00"}]


def test_json_with_a_mark_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(codecs.BOM_UTF8 + b'{"a": 1}')
    assert read_json(tmp_path / "a.json") == {"a": 1}


def irregular(kind: str, path: Path) -> None:
    if kind == "a pipe":
        os.mkfifo(path)
    elif kind == "a device":
        path.symlink_to("/dev/zero")
    else:
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(str(path))


@pytest.mark.parametrize("kind", ["a pipe", "a device", "a socket"])
@pytest.mark.parametrize("read", [open_regular, regular, read_bytes, read_text, read_json, read_jsonl, encoded_lines])
def test_what_may_never_end_is_not_opened(
    read: Callable[[Path], object], kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # the address of a socket is short
    path = Path("a")
    irregular(kind, path)
    with pytest.raises(DataError, match=f"a: is {kind}, not a regular file"):
        list(read(path))  # type: ignore[call-overload]


def test_a_link_to_a_file_is_read(tmp_path: Path) -> None:
    write_text(tmp_path / "blob", "text")
    (tmp_path / "a").symlink_to("blob")
    assert read_text(tmp_path / "a") == "text"


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_more_than_memory_should_hold_is_not_read(
    pack: Callable[[bytes], bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(pack(b" " * 2**21))
    assert len(read_text(tmp_path / "a")) == 2**21
    monkeypatch.setattr(whole, "__kwdefaults__", {"most_bytes": 2**20})
    with pytest.raises(DataError, match="a: larger than 1 MiB"):
        read_text(tmp_path / "a")


def test_a_large_file_is_refused_by_its_size(tmp_path: Path) -> None:
    """No byte of it is read: it takes no space on the disk, and would take memory."""
    with (tmp_path / "a").open("wb") as handle:
        handle.truncate(2**40)
    with pytest.raises(DataError, match="a: larger than 2,048 MiB"):
        read_jsonl(tmp_path / "a")
