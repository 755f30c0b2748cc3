"""What a checkpoint states of its run besides the tensors. No torch here."""

from pathlib import Path

from safetensors import SafetensorError, safe_open

from stacklab.base.errors import CheckpointError, DataError
from stacklab.base.files import regular

WORLD_SIZE, PRECISION = "world_size", "precision"


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
            return file.metadata() or {}
    except (SafetensorError, OSError, DataError):
        return {}
