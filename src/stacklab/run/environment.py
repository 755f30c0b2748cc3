"""The process of a run: its settings (threads, denormals, determinism), and the record of where a run was trained."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import psutil
import torch

from stacklab.base.hardware import processor_name
from stacklab.base.version import VERSION, git_commit
from stacklab.model.ops import compilation
from stacklab.train.device import DeviceChoice, masks_from
from stacklab.train.spec import TrainSpec


def prepare_process(threads: int) -> None:
    """Set the process up for runs. Denormal numbers make a CPU step three times slower, so they are flushed to zero."""
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)


def prepare_device(train: TrainSpec) -> None:
    """Set a card up for a run: determinism, the format of fp32 products, and whether operations are compiled.

    The strict deterministic mode refuses kernels that are not: with warnings alone attention would use them.
    """
    compilation.allow(train.compile != "off")
    if torch.cuda.is_available():
        torch.use_deterministic_algorithms(train.deterministic)
        # Otherwise the mode fills every new tensor, which nothing here relies on.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        torch.set_float32_matmul_precision("high" if train.tf32 else "highest")


PACKAGES = ("torch", "numpy", "tokenizers", "safetensors")


def provenance(
    *, data_manifest: dict[str, Any], choice: DeviceChoice, train: TrainSpec, world_size: int, stacked: bool
) -> dict[str, Any]:
    """Facts about this process, its machine and the data, as plain values. stacked: whether dropout is a stack's."""
    return {
        "versions": versions(),
        "git": git_commit(),
        "platform": platform.platform(),
        "processor": processor_name(),
        "cores": os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "gpu": torch.cuda.get_device_name() if choice.device.type == "cuda" else None,
        "device": str(choice.device),
        "precision": choice.precision,
        "residual": train.residual,
        "tf32": train.tf32,
        "compile": "blocks" if choice.compiled else "off",
        "deterministic": train.deterministic,
        "dropout_masks": masks_from(choice, stacked=stacked),
        "world_size": world_size,
        "threads": torch.get_num_threads(),
        "flush_denormal": True,
        "omp_wait_policy": _wait_policy(),
        "data": data_manifest,
    }


def _wait_policy() -> str | None:
    """OMP_WAIT_POLICY where OpenMP knows its value: nothing else of the environment is published with a study."""
    policy = os.environ.get("OMP_WAIT_POLICY")
    return policy if policy is None or policy.upper() in ("ACTIVE", "PASSIVE") else "neither ACTIVE nor PASSIVE"


def versions() -> dict[str, str]:
    """The versions of Python, stacklab and what it computes with. stacklab may run from a source folder."""
    return {"python": platform.python_version(), "stacklab": VERSION} | {name: _installed(name) for name in PACKAGES}


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed as a distribution"
