"""Writes safetensors files atomically; and the checksum of their content."""

import hashlib
import os
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from stacklab.base.canon import fingerprint
from stacklab.base.folders import write_atomically

LARGE = 2**26
"""Bytes from which tensors are hashed in threads: those of models for which a card takes the steps."""


def save_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    """Write the file, whole or not at all. Raises DiskError when the disk is full or the folder cannot be written."""

    def write(temporary: Path) -> None:
        try:
            save_file(tensors, temporary, metadata)
        except SafetensorError as error:
            # The library raises this for errors of the operating system.
            number = re.search(r"os error (\d+)", str(error))
            raise (OSError(int(number[1]), os.strerror(int(number[1]))) if number else OSError(str(error))) from error

    write_atomically(path, write)


def content_sum(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
    """The first 16 hex digits of the SHA-256 over metadata, and name, type, shape and SHA-256 of each tensor. The
    tensors are contiguous and on the CPU.

    SHA-256, as everywhere here: processors have instructions for it, and unlike a CRC it also tells apart contents that
    differ on purpose. The tensors of a large file are hashed in threads.
    """
    names = sorted(tensors)
    total = sum(value.nbytes for value in tensors.values())
    if total < LARGE:
        digests = [_digest(tensors[name]) for name in names]
    else:
        with ThreadPoolExecutor() as pool:
            digests = list(pool.map(_digest, [tensors[name] for name in names]))
    rows = [
        [name, str(tensors[name].dtype), list(tensors[name].shape), digest]
        for name, digest in zip(names, digests, strict=True)
    ]
    return fingerprint([dict(metadata), rows])


def _digest(value: Tensor) -> str:
    return hashlib.sha256(value.reshape(-1).view(torch.uint8).numpy().data).hexdigest()
