"""Writes safetensors files atomically; and the checksum of their content."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from stacklab.base.canon import FINGERPRINT_LENGTH, canonical_json
from stacklab.base.files import write_atomically


def save_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    """Write the file, whole or not at all. Raises DiskError when the disk is full or the folder cannot be written."""

    def write(temporary: Path) -> None:
        try:
            save_file(tensors, temporary, metadata)
        except SafetensorError as error:
            # The library raises this for errors of the operating system.
            raise OSError(str(error)) from error

    write_atomically(path, write)


def content_sum(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
    """The first 16 hex digits of the SHA-256 over metadata, names, types, shapes and bytes. The tensors are contiguous
    and on the CPU.

    SHA-256, as everywhere here: processors have instructions for it, and unlike a CRC it also tells apart contents that
    differ on purpose.
    """
    digest = hashlib.sha256(canonical_json(dict(metadata)).encode())
    for name in sorted(tensors):
        value = tensors[name]
        digest.update(f"\0{name}\0{value.dtype}\0{tuple(value.shape)}\0".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()[:FINGERPRINT_LENGTH]
