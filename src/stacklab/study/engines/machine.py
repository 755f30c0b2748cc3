"""The cores and GPUs that this process may use, determined without importing torch."""

import os
from pathlib import Path

CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def cores() -> int:
    """Cores this process may use: its affinity, and in a container the quota."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota(CPU_QUOTA)
    return allowed if quota is None else max(1, min(allowed, quota))


def _quota(path: Path) -> int | None:
    """Whole cores that a control group grants ('150000 100000' is one), or None without a limit ('max 100000')."""
    try:
        share, period = path.read_text().split()
        return int(share) // int(period)
    except (OSError, ValueError):
        return None


def gpus(devices: Path = Path("/dev")) -> list[str]:
    """The NVIDIA devices this process may use, as CUDA_VISIBLE_DEVICES names them; empty without any."""
    present = sorted((path.name.removeprefix("nvidia") for path in devices.glob("nvidia[0-9]*")), key=int)
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is None or not present:
        return present
    names = [name.strip() for name in chosen.split(",")]
    return [] if names == [""] or "-1" in names else names


def default_workers(runs: int) -> int:
    """One worker per core, or per GPU if there are any, since runs on one GPU compete for its memory."""
    return max(1, min(cores(), runs, len(gpus()) or runs))


def threads_each(workers: int) -> int:
    """Threads of each of `workers` runs at once: an equal share of the cores."""
    return max(1, cores() // workers)
