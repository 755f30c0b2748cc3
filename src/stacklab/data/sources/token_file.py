"""Files of token ids: little-endian uint16 or uint32 only, as nanoGPT writes them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from stacklab.base.errors import DataError
from stacklab.base.files import regular
from stacklab.data.record import TokenRecord
from stacklab.data.sources.spec import TokensSpec

DTYPES: dict[str, np.dtype[Any]] = {"uint16": np.dtype("<u2"), "uint32": np.dtype("<u4")}

PIECE = 1024
"""Ids per record of a file without an end id: long enough for few cuts, short enough for fair shares of the splits."""


def token_dtype(vocab_size: int) -> np.dtype[Any]:
    """The narrowest of the two widths that holds every id below `vocab_size`."""
    return DTYPES["uint16" if vocab_size <= 2**16 else "uint32"]


def token_records(path: Path, spec: TokensSpec) -> Iterator[TokenRecord]:
    """The records between end ids, or pieces of PIECE ids. Raises DataError for an incomplete last id."""
    ids = _open(path, spec)
    if spec.end_id is None:
        for start in range(0, len(ids), PIECE):
            yield TokenRecord(np.array(ids[start : start + PIECE]))
        return
    begin = 0
    for end in [*np.flatnonzero(ids == spec.end_id).tolist(), len(ids)]:
        if end > begin:
            yield TokenRecord(np.array(ids[begin:end]))
        begin = end + 1


def check_ids(path: Path, spec: TokensSpec, vocab_size: int) -> None:
    """Raises DataError naming the first id that is not below `vocab_size`, or the end id when that is not."""
    if spec.end_id is not None and spec.end_id >= vocab_size:
        raise DataError(f"{path}: source.end_id is {spec.end_id}, expected an id below {vocab_size}")
    ids = _open(path, spec)
    wrong = np.flatnonzero(ids >= vocab_size)
    if len(wrong):
        raise DataError(
            f"{path}: token {wrong[0]} is id {ids[wrong[0]]}, expected ids below {vocab_size}; "
            "use the tokenizer, source.width and source.vocab_size that the file was written with"
        )


def _open(path: Path, spec: TokensSpec) -> np.ndarray:
    dtype, size = DTYPES[spec.width], path.stat().st_size
    if size % dtype.itemsize:
        raise DataError(
            f"{path}: {size} bytes are not a whole number of {spec.width} ids; correct source.width, or restore the "
            "file if it is cut off"
        )
    return np.memmap(regular(path), dtype=dtype, mode="r") if size else np.empty(0, dtype)
