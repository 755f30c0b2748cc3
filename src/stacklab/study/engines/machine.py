"""The cores and GPUs that this process may use, determined without importing torch."""

import os
import re
import shutil
import subprocess
from functools import cache
from itertools import takewhile
from pathlib import Path

from stacklab.base.errors import UserError
from stacklab.base.files import read_text

VISIBLE = "CUDA_VISIBLE_DEVICES"
CARD = re.compile(r"\d+|(GPU|MIG)-[\w/-]+")
"""A card in CUDA_VISIBLE_DEVICES: its number, or the UUID of a card or of a MIG instance."""

SMI_SECONDS = 10.0
CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def cores() -> int:
    """Cores this process may use: its affinity, and in a container the quota."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota(CPU_QUOTA)
    return allowed if quota is None else max(1, min(allowed, quota))


def _quota(path: Path) -> int | None:
    """Whole cores that a control group grants ('150000 100000' is one), or None without a limit ('max 100000')."""
    try:
        share, period = read_text(path).split()
        return int(share) // int(period)
    except (OSError, ValueError):
        return None


def gpus(devices: Path = Path("/dev")) -> list[str]:
    """The NVIDIA cards this process may use, named as in CUDA_VISIBLE_DEVICES; empty without any.

    A list that the user has set is kept, up to the first name that CUDA does not know (-1 hides all). Raises UserError
    if it names more cards than the machine has.
    """
    count, chosen = _present(devices), os.environ.get(VISIBLE)
    if chosen is None or not count:
        return [str(number) for number in range(count)]
    names = list(dict.fromkeys(takewhile(CARD.fullmatch, (name.strip() for name in chosen.split(",")))))
    for name in names:
        if name.isdigit() and int(name) >= count:
            has = "1 GPU, number 0" if count == 1 else f"{count} GPUs, numbers 0 to {count - 1}"
            raise UserError(f"{VISIBLE}={chosen} names GPU {name}, but this machine has {has}")
    return names


def _present(devices: Path) -> int:
    """The number of cards. CUDA numbers those that it may open from 0, so the names of the files do not matter."""
    nodes = [path for path in devices.glob("nvidia[0-9]*") if os.access(path, os.R_OK | os.W_OK)]
    if nodes:
        return len(nodes)
    # Some systems (WSL) have cards without such files.
    program = shutil.which("nvidia-smi")
    return 0 if program is None else _listed(program)


@cache
def _listed(program: str) -> int:
    """The number of cards that nvidia-smi lists; 0 if it fails or hangs, as it does with a broken driver."""
    try:
        done = subprocess.run(
            [program, "-L"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=True,
            timeout=SMI_SECONDS,
        )
    except (OSError, subprocess.SubprocessError):
        return 0
    return sum(line.startswith(b"GPU ") for line in done.stdout.splitlines())


def uses_card(device: str) -> bool:
    """Whether a run with this `train.device` trains on a card where there is one."""
    return device in ("auto", "cuda")


def trains_on_card(device: str) -> bool:
    """Whether a run with this `train.device` trains on a card of this machine."""
    return uses_card(device) and bool(gpus())


def default_workers(runs: int) -> int:
    """Processes at the same time on a machine without a card: one per core."""
    return max(1, min(cores(), runs))


def threads_each(workers: int) -> int:
    """Threads of each of `workers` runs at once: an equal share of the cores."""
    return max(1, cores() // workers)
