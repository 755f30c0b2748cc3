"""Environment variables set once at start: telemetry off, passive OpenMP waits. The user's own values win."""

import os

# Unlike pathlib, this does not raise where there is no home directory.
CACHE = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111

DEFAULTS = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_UPDATE_DOWNLOAD_COUNTS": "0",
    "DO_NOT_TRACK": "1",
    "TOKENIZERS_PARALLELISM": "false",
    # Spinning OpenMP threads slow two neighbouring workers threefold; must be set before torch is imported.
    "OMP_WAIT_POLICY": "PASSIVE",
    "MPLBACKEND": "Agg",
    # cuBLAS reads it when CUDA starts; without it older versions of torch refuse deterministic products.
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
    # Compiled blocks are kept from run to run; torch's own place is a temporary folder.
    "TORCHINDUCTOR_CACHE_DIR": os.path.join(CACHE, "stacklab", "compiled"),  # noqa: PTH118
    # The order in which several cards sum their gradients is then the same in every launch.
    "NCCL_ALGO": "Ring",
}

# For processes that train (glibc reads these when a process starts). Every step frees and allocates the same hundreds
# of megabytes; returned to the system, each page would have to be cleared and mapped again at the next step.
ALLOCATOR = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**40),
}


def apply_defaults() -> None:
    """Set every variable of DEFAULTS that the user has not set."""
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)


def training_environment() -> dict[str, str]:
    """The environment to start a training process with."""
    apply_defaults()
    return ALLOCATOR | os.environ
