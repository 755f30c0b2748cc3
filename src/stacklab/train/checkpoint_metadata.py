"""What a checkpoint states of its run besides the tensors. No torch here."""

from pathlib import Path

from safetensors import SafetensorError, safe_open

from stacklab.base.errors import CheckpointError

WORLD_SIZE = "world_size"


def check_world_size(path: Path, metadata: dict[str, str], ranks: int) -> None:
    """Raises CheckpointError for a run that began on another number of ranks, whose sums have another order. Older
    checkpoints do not state it."""
    saved = metadata.get(WORLD_SIZE, str(ranks))
    if saved != str(ranks):
        raise CheckpointError(
            f"{path}: the run began with --gpus-per-run {saved}, not {ranks}; use {saved} again, or delete the file to "
            "restart the run"
        )


def read_metadata(path: Path) -> dict[str, str]:
    """What the file states; empty for a file that cannot be read, whose reason training states."""
    try:
        with safe_open(path, framework="numpy") as file:
            return file.metadata() or {}
    except (SafetensorError, OSError):
        return {}
