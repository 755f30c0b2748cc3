"""`stacklab doctor`"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from stacklab.cli.options import DEFAULT_OUT, Out, results_console

if TYPE_CHECKING:
    from rich.table import Table

    from stacklab.train.card import Card

Check = tuple[str, str, bool]
"""What was looked at, its value, and whether that is good."""


def doctor(out: Out = DEFAULT_OUT) -> None:
    """Check this machine: Python, torch, GPUs, cores, memory, disk, the settings that make training slow or uneven."""
    from rich.table import Table
    from rich.text import Text

    checks = Table("", "what", "value")
    cards = _cards()
    for name, value, good in (*_software(), *_devices(cards), *_machine(out)):
        checks.add_row(Text("ok", "green") if good else Text("check", "yellow"), name, value)
    results_console().print(checks)
    for table in _kernel_tables(cards):
        results_console().print(table)


def _software() -> Iterator[Check]:
    import platform

    import torch

    from stacklab.base.version import VERSION

    builds = {"CUDA": torch.version.cuda, "ROCm (untested)": torch.version.hip}
    build = next((f"built for {name} {number}" for name, number in builds.items() if number), "built without CUDA")
    yield "stacklab", VERSION, True
    yield "Python", platform.python_version(), True
    yield "torch", f"{torch.__version__}, {build}", True


def _cards() -> list["Card"]:
    """The cards of CUDA; what is known of kernels does not hold for those of ROCm."""
    import torch

    from stacklab.train.card import describe_card

    there = torch.version.cuda is not None and torch.cuda.is_available()
    return [describe_card(index) for index in range(torch.cuda.device_count())] if there else []


def _devices(cards: list["Card"]) -> Iterator[Check]:
    import shutil

    import torch

    from stacklab.base.errors import DeviceError
    from stacklab.base.hardware import peak_matrix_rate
    from stacklab.base.units import size
    from stacklab.train.device import pick_device

    try:
        device = pick_device("auto").type
    except DeviceError as error:
        yield "device", str(error), False
    else:
        idle = device == "cpu" and shutil.which("nvidia-smi") is not None
        why = ": there is an NVIDIA driver, but torch cannot use a card (its build, or the version of the driver)"
        yield "device", f"{device}, by train.device = auto{why if idle else ''}", not idle
    if torch.backends.mps.is_available():
        yield "mps", "Apple's GPU: works as far as torch does; not tested with stacklab", True
    for index, card in enumerate(cards):
        rate = peak_matrix_rate(card.name)
        facts = [card.name, size(card.memory_bytes), card.sm, "bf16" if card.bf16 else "no bf16"]
        facts += ["no Triton" if card.triton_lacks else "Triton"]
        facts += [f"{rate / 1e12:.0f} TFLOP/s stated" if rate else "peak rate unknown: no MFU"]
        yield f"cuda:{index}", ", ".join(facts), card.built_for


def _machine(out: Path) -> Iterator[Check]:
    import os
    import shutil

    import psutil
    import torch

    from stacklab.base.units import size
    from stacklab.study.engines.machine import cores

    folder = next(path for path in (out.absolute(), *out.absolute().parents) if path.exists())
    free = shutil.disk_usage(folder).free
    memory = psutil.virtual_memory()
    wait = os.environ.get("OMP_WAIT_POLICY", "")
    yield "cores", str(cores()), True
    yield "memory", f"{size(memory.available)} free of {size(memory.total)}", memory.available > 2**30
    yield "disk", f"{size(free)} free at {folder}", free > 2**30
    yield "writable", str(folder), os.access(folder, os.W_OK)
    yield "OMP_WAIT_POLICY", wait or "not set", wait.upper() == "PASSIVE"
    yield "denormals", "can be flushed" if torch.set_flush_denormal(True) else "cannot be flushed", True
    yield "load", f"{psutil.getloadavg()[0]:.1f} over the last minute", True
    yield "hub", _hub(), True


def _hub() -> str:
    from huggingface_hub import constants

    where = f"cache {constants.HF_HUB_CACHE}"
    if constants.HF_HUB_OFFLINE:
        return f"not used (HF_HUB_OFFLINE); {where}"
    return f"used only for the ids that a study names; {where}"


def _kernel_tables(cards: list["Card"]) -> Iterator["Table"]:
    """One table for all cards with the same kernels."""
    from rich.table import Table

    from stacklab.train.card import Kernel, kernels, torch_release

    alike: dict[tuple[Kernel, ...], list[str]] = {}
    for index, card in enumerate(cards):
        alike.setdefault(tuple(kernels(card, torch_release())), []).append(f"cuda:{index}")
    for rows, names in alike.items():
        table = Table("kernel", "used", "why", title=f"kernels on {', '.join(names)}", title_justify="left")
        for name, used, why in rows:
            table.add_row(name, "yes" if used else "no", why)
        yield table
