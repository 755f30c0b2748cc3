"""Bombs in forms of bytes: arrays and tensors."""

import io
import json
import os
import pickle
import struct
import zipfile
from typing import Any

import numpy as np

MARKER = "executed"
"""A file of this name in the folder of the command shows that code in an input was run."""


class Code:
    """Runs when it is unpickled."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (f"touch {MARKER}",)


def npz_bombs() -> list[Any]:
    huge = b"\x93NUMPY\x01\x00" + struct.pack("<H", 118)
    header = "{'descr': '<i8', 'fortran_order': False, 'shape': (1000000000, 1000000000), }"
    array = huge + header.ljust(117).encode() + b"\n"
    good = _npy(np.zeros((3, 4), dtype=np.int64))
    members = [array, _npy(np.array([[Code()]], dtype=object)), good[:-8], _npy(np.zeros((0, 0), dtype=np.int64))]
    members += [_npy(np.full((3, 4), value, dtype=np.int64)) for value in (2**62, -(2**62), 10**9)]
    members += [_npy(np.zeros(shape, dtype=np.int64)) for shape in ((), (5,), (2, 3, 4), (1, 10**6))]
    members += [_npy(np.zeros((3, 4), dtype=kind)) for kind in ("f8", "c16", "U3", "M8[s]", "V5")]
    files = [_zip({"inputs.npy": member, "targets.npy": member}) for member in members]
    names = (
        {"inputs.npy": good},
        {"../inputs.npy": good, "/targets.npy": good},
        {"inputs.npy": good, "targets.npy": good, "labels.npy": good},
    )
    return [*files, *map(_zip, names), pickle.dumps({"inputs": Code()}), pickle.dumps(Code())]


def _npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def _zip(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def tensors_bombs() -> list[Any]:
    def file(header: Any, data: bytes = bytes(64)) -> bytes:
        text = header if isinstance(header, bytes) else json.dumps(header).encode()
        return struct.pack("<Q", len(text)) + text + data

    def one(**parts: Any) -> bytes:
        return file({"x": {"dtype": "F32", "shape": [4, 4], "data_offsets": [0, 64]} | parts})

    made = [struct.pack("<Q", length) + b"{}" for length in (0, 2**63, 2**64 - 1, 10**9)]
    made += [one(shape=shape) for shape in ([-4, -4], [2**62, 4], [], [4] * 1000, "x", None)]
    made += [one(data_offsets=offsets) for offsets in ([0, 10**12], [64, 0], [-1, 63], [0], None)]
    made += [one(dtype=kind) for kind in ("F8", "BOOL", "x", 5)] + [
        file(b"[" * 100_000),
        file(b"{" + b" " * 10**6 + b"}"),
    ]
    made += [file({"\x1b[31m[/]": {"dtype": "F32", "shape": [16], "data_offsets": [0, 64]}}), pickle.dumps(Code())]
    return made
