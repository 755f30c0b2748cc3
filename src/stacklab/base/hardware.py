"""The hardware's own description, its memory, what its makers state, and what compilers for it need. No torch here."""

import contextlib
import importlib.util
import os
import platform
import re
import shutil
import sysconfig
from pathlib import Path

from stacklab.base.units import size


def processor_name() -> str:
    """The processor's model name as the system reports it, or `unknown`."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"


MEMORY_QUOTA = Path("/sys/fs/cgroup/memory.max")


def machine_memory() -> int:
    """Bytes of memory that a process may have: those of the machine, less in a container or under `ulimit -v`."""
    import psutil

    limits = [int(psutil.virtual_memory().total)]
    with contextlib.suppress(OSError, ValueError):  # no such file, or `max`
        limits.append(int(MEMORY_QUOTA.read_text()))
    with contextlib.suppress(ImportError):  # Windows has no such limits
        import resource

        limits.append(resource.getrlimit(resource.RLIMIT_AS)[0])
    return min(limit for limit in limits if limit > 0)  # RLIM_INFINITY is negative


def beyond_memory(needed: float) -> str:
    """Why `needed` bytes cannot be held on this machine: `3.00 TiB of memory, this machine has 16.00 GiB`; empty where
    they can.

    The one bound of everything that is held at once before training: ask before anything is allocated or looped over.
    """
    has = machine_memory()
    return f"{size(needed)} of memory, this machine has {size(has)}" if needed > has else ""


AMPERE = (8, 0)
"""The first compute capability with bf16 and with torch's flash attention, and the first that kernels are compiled for:
Triton still builds them for sm70 and sm75, but some then need more shared memory than these cards have."""


def triton_lacks() -> str:
    """What Triton would need on this machine in order to compile, or nothing. It builds a C file for each kernel."""
    if importlib.util.find_spec("triton") is None:
        return "Triton, which is not installed"
    if not os.environ.get("CC") and not shutil.which("gcc") and not shutil.which("clang"):
        return "a C compiler: gcc, clang or $CC"
    if not Path(sysconfig.get_path("include"), "Python.h").is_file():
        return "the C headers of Python (python3-dev)"
    return ""


PEAK_RATES = {
    r"NVIDIA H200": 989e12,
    r"NVIDIA H100 80GB HBM3": 989e12,
    r"NVIDIA H100 PCIe": 756e12,
    r"NVIDIA A100-SXM4-(40|80)GB": 312e12,
    r"NVIDIA A100(-PCIE-40GB| 80GB PCIe)": 312e12,
    r"NVIDIA L4": 121e12,
    r"Tesla T4": 65e12,
    r"Tesla V100-SXM2-(16|32)GB": 125e12,
    r"NVIDIA GeForce RTX 4090": 165e12,
    r"NVIDIA GeForce RTX 3090": 71e12,
}
"""Operations per second of dense half-precision products with sums in fp32, by the card's whole name in torch.

bf16 and fp16 have the same rate; T4 and V100 have fp16 only. Sources: NVIDIA's data sheets of H200, H100, A100, L4, T4
and V100, where figures "with sparsity" are halved; the Ada (RTX 4090) and GA102 (RTX 3090) architecture white papers,
appendix, "FP16 Tensor TFLOPS with FP32 accumulate". Partitions (MIG), laptop cards and other variants have other rates.
"""


def peak_matrix_rate(card: str) -> float | None:
    """The stated peak of `card` in operations per second (PEAK_RATES); None for a card without a sure entry.

    >>> peak_matrix_rate("NVIDIA H100 PCIe"), peak_matrix_rate("NVIDIA H100 80GB HBM3 MIG 1g.10gb")
    (756000000000000.0, None)
    """
    return next((rate for pattern, rate in PEAK_RATES.items() if re.fullmatch(pattern, card)), None)
