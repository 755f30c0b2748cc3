"""Runs for which the memory of a card does not suffice: how a worker notices it, and what is recorded."""

import sys
from collections.abc import Iterator
from pathlib import Path

from stacklab.base.errors import StacklabError
from stacklab.base.units import size
from stacklab.run.paths import RunPaths
from stacklab.run.store import read_spec

PHRASES = (
    "CUDA error: out of memory",
    "Triton Error [CUDA]: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "MPS backend out of memory",
)
"""In the message of a RuntimeError, where the allocation did not go through torch's own allocator for CUDA."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the memory of the card was exhausted, also where a compiler wraps the error. Memory of the host does not
    count: another run on the card has no part in it."""
    return any(
        any(kind.__name__ == "OutOfMemoryError" for kind in type(one).__mro__)
        or (isinstance(one, RuntimeError) and any(phrase in str(one) for phrase in PHRASES))
        for one in _causes(error)
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def out_of_memory() -> str:
    """The reason, with the card and its memory where torch can tell; called in the process of the run."""
    try:
        # Only a process that has imported torch can have used the card.
        card = sys.modules["torch"].cuda.get_device_properties(0)
    except Exception:  # noqa: BLE001  after an error of CUDA nothing is certain, and the reason stands without it
        return "out of GPU memory"
    return f"out of GPU memory ({card.name}, {size(card.total_memory)})"


def smaller(folder: Path) -> str:
    """The nearest setting with which a run needs less memory."""
    try:
        train = read_spec(RunPaths(folder)).train
    except StacklabError:
        return "a smaller train.micro_batch_size needs less"
    parts = [part for part in range(1, train.micro_batch) if train.batch_size % part == 0]
    if parts:
        return f"train.micro_batch_size={parts[-1]} needs less (same batch, accumulated)"
    return "with micro-batches of 1, only a smaller model.d_model, model.num_layers or data.block_size needs less"
