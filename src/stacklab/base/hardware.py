"""The hardware: its own description, memory, limits, what its makers state, and what compilers need. No torch here."""

import contextlib
import errno
import importlib.util
import os
import platform
import re
import resource
import shutil
import signal
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from stacklab.base.errors import LimitError, StacklabError
from stacklab.base.files import read_text
from stacklab.base.units import size


def processor_name() -> str:
    """The processor's model name as the system reports it, or `unknown`."""
    try:
        for line in read_text(Path("/proc/cpuinfo")).splitlines():
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
        limits.append(int(read_text(MEMORY_QUOTA)))
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


class Limit(NamedTuple):
    """A limit of this process and its children. unit: of the shell's `option`, in that of the system."""

    what: str
    number: int
    option: str
    unit: int
    mend: str


LIMITS = {
    "memory": Limit("memory", resource.RLIMIT_AS, "ulimit -v", 1024, "a smaller model and fewer --workers need less"),
    "time": Limit("CPU time", resource.RLIMIT_CPU, "ulimit -t", 1, "raise it"),
    "files": Limit("open files", resource.RLIMIT_NOFILE, "ulimit -n", 1, "raise it, or use fewer --workers"),
    "processes": Limit("processes", resource.RLIMIT_NPROC, "ulimit -u", 1, "raise it, or use fewer --workers"),
    "size": Limit("the size of a file", resource.RLIMIT_FSIZE, "ulimit -f", 1024, "raise it"),
}
_NUMBERS = {
    errno.ENOMEM: "memory",
    errno.EMFILE: "files",
    errno.ENFILE: "files",
    errno.EAGAIN: "processes",
    errno.EFBIG: "size",
}
_PHRASES = {
    # The last one is how an extension in C ends that ignores that its allocation failed.
    r"MemoryError|[Cc]an(no|')t allocate memory|bad_alloc|failed to map segment|return without exception": "memory",
    r"Too many open files": "files",
    r"can't start new thread|Resource temporarily unavailable": "processes",
    r"File too large": "size",
}
"""In messages of Python, of libraries in C and of the loader of programs."""
_SIGNALS = {-signal.SIGXCPU: "time", -signal.SIGXFSZ: "size"}


def limit_reached(error: BaseException) -> LimitError | None:
    """The limit of the machine that an error, or one of its causes, is about; None where there is none."""
    for one in _causes(error):
        number = one.errno if isinstance(one, OSError) else None
        name = "memory" if isinstance(one, MemoryError) else _NUMBERS.get(number or 0)
        if name is not None:
            return _limit_error(name, str(one))
        if isinstance(one, RuntimeError | ImportError | OSError) and (limit := limit_in(str(one))):
            return limit
    return None


def limit_in(text: str, code: int = 0) -> LimitError | None:
    """The limit that ended a process with this exit code (negative: the signal) and last words; None where there is
    none."""
    if (name := _SIGNALS.get(code)) is not None:
        return _limit_error(name)
    for phrase, name in _PHRASES.items():
        for line in reversed(text.splitlines()):
            if re.search(phrase, line):
                return _limit_error(name, line.strip().removesuffix(":"))
    if code == -signal.SIGKILL:
        return _limit_error("time" if _allowed("time") is not None else "memory", "killed by the system")
    if code < 0 and _allowed("memory") is not None:
        return _limit_error("memory", f"killed by signal {-code}")
    return None


def ended(what: str, code: int, said: str = "") -> StacklabError:
    """The error to raise for a process that ended with this exit code and last words: LimitError where a limit of the
    machine is the reason."""
    if (limit := limit_in(said, code)) is not None:
        return LimitError(f"{what}: {limit}")
    return StacklabError(f"{what}: {(said.strip().splitlines() or [f'exit code {code}'])[-1]}")


def _limit_error(name: str, details: str = "") -> LimitError:
    limit, allowed = LIMITS[name], _allowed(name)
    sets = f" ({limit.option} is {allowed // limit.unit:,})" if allowed is not None else ""
    said = f": {details}" if details else ""
    return LimitError(f"the limit of {limit.what} is reached{sets}{said}; {limit.mend}")


def _allowed(name: str) -> int | None:
    soft, hard = resource.getrlimit(LIMITS[name].number)
    if name == "time" and hard != resource.RLIM_INFINITY:
        return hard  # foresee_time_limit lowers the other
    return None if soft == resource.RLIM_INFINITY else soft


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def foresee_time_limit() -> None:
    """Have the limit of CPU time raise LimitError a second before the system ends this process without a word."""
    allowed = [each for each in resource.getrlimit(resource.RLIMIT_CPU) if each != resource.RLIM_INFINITY]
    if allowed:
        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        resource.setrlimit(resource.RLIMIT_CPU, (max(1, min(allowed) - 1), hard))
        signal.signal(signal.SIGXCPU, _time_is_up)


def _time_is_up(number: int, frame: object) -> None:
    raise _limit_error("time")
