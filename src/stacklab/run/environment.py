"""The process a run lives in: threads, denormals, determinism."""

import torch


def prepare_process(threads: int) -> None:
    """Set the process up for one run.

    Denormal numbers slow a CPU step threefold, so they are flushed to zero. On a GPU deterministic kernels are chosen
    where torch has them.
    """
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    if torch.cuda.is_available():
        torch.use_deterministic_algorithms(True, warn_only=True)
