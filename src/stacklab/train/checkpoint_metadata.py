"""What a checkpoint states of its run besides the tensors. No torch here.

It is one entry of the file's metadata, in JSON: the library writes several entries in an order of its own, which would
make equal files unequal. Earlier versions wrote an entry for each fact.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open

from stacklab.base.canon import SUM, canonical_json
from stacklab.base.errors import CheckpointError, DataError
from stacklab.base.files import regular

RUN_ID, STEP, WORLD_SIZE, PRECISION = "run_id", "step", "world_size", "precision"
ENTRY = "stacklab"
EARLIER = frozenset((RUN_ID, STEP, WORLD_SIZE, PRECISION))


def packed(facts: Mapping[str, str]) -> dict[str, str]:
    """The facts as the metadata of a file."""
    return {ENTRY: canonical_json(dict(facts))}


def unpacked(metadata: Mapping[str, str]) -> dict[str, str]:
    """The facts in the metadata of a file. Raises ValueError for metadata that no version wrote."""
    if metadata.keys() <= EARLIER:
        return dict(metadata)
    facts = json.loads(metadata[ENTRY]) if metadata.keys() == {ENTRY} else None
    if not isinstance(facts, dict) or SUM not in facts:
        raise ValueError("metadata that no version writes")
    return {str(name): str(value) for name, value in facts.items()}


def check_world_size(path: Path, metadata: dict[str, str], ranks: int) -> None:
    """Raises CheckpointError for a run that began on another number of ranks, whose sums have another order. Older
    checkpoints do not state it."""
    saved = metadata.get(WORLD_SIZE, str(ranks))
    if saved != str(ranks):
        raise CheckpointError(
            f"{path}: the run began with --gpus-per-run {saved}, not {ranks}; use {saved} again, or delete the file to "
            "restart the run"
        )


def check_precision(path: Path, metadata: dict[str, str], precision: str) -> None:
    """Raises CheckpointError for a run that began in another number format, which `auto` chooses by the device. Older
    checkpoints do not state it."""
    saved = metadata.get(PRECISION, precision)
    if saved != precision:
        raise CheckpointError(
            f"{path}: the run began in {saved}, but trains in {precision} here; resume it on such a device as it began "
            "on, or delete the file to restart the run"
        )


def read_metadata(path: Path) -> dict[str, str]:
    """What the file states; empty for a file that cannot be read, whose reason training states."""
    try:
        with safe_open(regular(path), framework="numpy") as file:
            return unpacked(file.metadata() or {})
    except (SafetensorError, OSError, ValueError, RecursionError, DataError):
        return {}
