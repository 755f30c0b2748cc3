"""`stacklab doctor`"""

from stacklab.cli.options import DEFAULT_OUT, Out, results_console


def doctor(out: Out = DEFAULT_OUT) -> None:
    """Check this machine: Python, torch, cores, memory, disk, the settings that make training slow or uneven."""
    import os
    import platform
    import shutil

    import psutil
    import torch
    from rich.table import Table

    import stacklab
    from stacklab.base.units import size
    from stacklab.study.engines.machine import cores

    folder = next(path for path in (out.absolute(), *out.absolute().parents) if path.exists())
    free = shutil.disk_usage(folder).free
    memory = psutil.virtual_memory()
    wait = os.environ.get("OMP_WAIT_POLICY", "")
    checks = [
        ("stacklab", stacklab.__version__, True),
        ("Python", platform.python_version(), True),
        ("torch", torch.__version__, True),
        ("GPU", torch.cuda.get_device_name() if torch.cuda.is_available() else "none: training on the CPU", True),
        ("cores", str(cores()), True),
        ("memory", f"{size(memory.available)} free of {size(memory.total)}", memory.available > 2**30),
        ("disk", f"{size(free)} free at {folder}", free > 2**30),
        ("writable", str(folder), os.access(folder, os.W_OK)),
        ("OMP_WAIT_POLICY", wait or "not set", wait.upper() == "PASSIVE"),
        ("denormals", "can be flushed" if torch.set_flush_denormal(True) else "cannot be flushed", True),
        ("load", f"{psutil.getloadavg()[0]:.1f} over the last minute", True),
        ("hub", _hub(), True),
    ]
    table = Table("", "what", "value")
    for name, value, good in checks:
        table.add_row("[green]ok[/green]" if good else "[yellow]check[/yellow]", name, value)
    results_console().print(table)


def _hub() -> str:
    from huggingface_hub import constants

    where = f"cache {constants.HF_HUB_CACHE}"
    if constants.HF_HUB_OFFLINE:
        return f"not used (HF_HUB_OFFLINE); {where}"
    return f"used only for the ids that a study names; {where}"
