"""Environment set once at start: telemetry off, passive OpenMP waits. A user's own values win."""

import os

DEFAULTS = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_UPDATE_DOWNLOAD_COUNTS": "0",
    "DO_NOT_TRACK": "1",
    "TOKENIZERS_PARALLELISM": "false",
    # Spinning OpenMP threads slow two neighbouring workers threefold; must be set before torch is imported.
    "OMP_WAIT_POLICY": "PASSIVE",
    "MPLBACKEND": "Agg",
}


def apply_defaults() -> None:
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
