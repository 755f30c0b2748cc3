"""Stated rates belong to whole names: a variant of a card has another rate. What Triton needs in order to compile."""

import importlib.util
import shutil
import sysconfig
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from stacklab.base import hardware
from stacklab.base.hardware import peak_matrix_rate, triton_lacks


@pytest.mark.parametrize(
    ("name", "tera"),
    [
        ("NVIDIA H100 80GB HBM3", 989),
        ("NVIDIA H100 PCIe", 756),
        ("NVIDIA H200", 989),
        ("NVIDIA A100-SXM4-80GB", 312),
        ("NVIDIA A100 80GB PCIe", 312),
        ("NVIDIA L4", 121),
        ("Tesla T4", 65),
        ("Tesla V100-SXM2-16GB", 125),
        ("NVIDIA GeForce RTX 4090", 165),
        ("NVIDIA GeForce RTX 3090", 71),
    ],
)
def test_the_rate_of_a_known_card(name: str, tera: float) -> None:
    assert peak_matrix_rate(name) == tera * 1e12


@pytest.mark.parametrize(
    "name",
    [
        "NVIDIA H100 80GB HBM3 MIG 1g.10gb",
        "NVIDIA H100 NVL",
        "NVIDIA GeForce RTX 4090 Laptop GPU",
        "NVIDIA GeForce RTX 4090 D",
        "NVIDIA L40S",
        "",
    ],
)
def test_a_variant_has_no_rate_rather_than_a_wrong_one(name: str) -> None:
    assert peak_matrix_rate(name) is None


def test_triton_needs_a_compiler_and_the_headers_of_python(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: SimpleNamespace())
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))
    assert triton_lacks() == "a C compiler: gcc, clang or $CC"
    monkeypatch.setenv("CC", "cc")
    assert triton_lacks() == "the C headers of Python (python3-dev)"
    (tmp_path / "Python.h").touch()
    assert triton_lacks() == ""


def test_memory_is_that_of_the_machine_or_of_a_smaller_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = hardware.machine_memory()
    assert 2**28 < whole <= psutil.virtual_memory().total
    quota = tmp_path / "memory.max"
    monkeypatch.setattr(hardware, "MEMORY_QUOTA", quota)
    quota.write_text("268435456\n")
    assert hardware.machine_memory() == 2**28
    assert hardware.beyond_memory(2**28) == ""
    assert hardware.beyond_memory(2**40) == "1.00 TiB of memory, this machine has 256.00 MiB"
    quota.write_text("max\n")
    assert hardware.machine_memory() == whole
