"""Inputs made to hurt: deep, long, wide, endless, of another type, with code or escape sequences in them."""

import gzip
import os
import socket
from collections.abc import Callable
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any

from tests.campaign import bombs_as_bytes as in_bytes
from tests.campaign import bombs_as_text as in_text


class Place(Enum):
    """What may stand where a file is expected."""

    PIPE = "pipe"
    ENDLESS = "a link to /dev/zero"
    NOWHERE = "a link to nothing"
    ITSELF = "a link to itself"
    FOLDER = "folder"
    SOCKET = "socket"

    def make(self, path: Path) -> None:
        if self is Place.PIPE:
            os.mkfifo(path)
        elif self is Place.FOLDER:
            path.mkdir()
        elif self is Place.SOCKET:
            # The name may be longer than a socket's address, so it is bound from its folder.
            here = os.open(path.parent, os.O_RDONLY)
            with socket.socket(socket.AF_UNIX) as end:
                end.bind(f"/proc/self/fd/{here}/{path.name}")
            os.close(here)
        else:
            target = {Place.ENDLESS: "/dev/zero", Place.NOWHERE: "nowhere", Place.ITSELF: path.name}[self]
            path.symlink_to(target)


PLACES: list[Any] = list(Place)
BYTES = [b"", b"\n", bytes(100_000), b"\xff" * 1000, b"\xef\xbb\xbf", b"\xff\xfe", b"PK\x05\x06" + bytes(18)]
BROKEN = [b"\x1f\x8b\x08\x00" + bytes(40), b"\x28\xb5\x2f\xfd" + bytes(40)]
"""Like packed files, and not whole."""


def of(name: str) -> list[Any]:
    """Bombs for a file of this name: those of its form, and those of any file."""
    own = [bomb for end, make in FORMS.items() if name.endswith(end) for bomb in make()]
    return [*own, *PLACES, *BYTES, *BROKEN, _packed()]


@cache
def _packed() -> bytes:
    """200 MB in 200 kB."""
    return gzip.compress(b"0" * 200_000_000, 9)


FORMS: dict[str, Callable[[], list[Any]]] = {
    ".yaml": in_text.yaml_bombs,
    "rows.jsonl": in_text.json_bombs,
    "rows.json": in_text.json_bombs,
    "rows.csv": in_text.csv_bombs,
    "rows.txt": in_text.text_bombs,
    "run.jsonl": in_text.log_bombs,
    "run.csv": in_text.log_bombs,
    "run.log": in_text.log_bombs,
    "hf.txt": in_text.log_bombs,
    "page.md": in_text.log_bombs,
    "tokenizer.json": in_text.tokenizer_bombs,
    ".npz": in_bytes.npz_bombs,
    ".safetensors": in_bytes.tensors_bombs,
    "config.json": in_text.config_bombs,
}
"""End of a file's name -> its bombs."""
