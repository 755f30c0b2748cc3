"""The hardware's own description."""

import platform
from pathlib import Path


def processor_name() -> str:
    """The processor's model name as the system reports it, or `unknown`."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"
