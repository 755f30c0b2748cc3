"""`stacklab doctor` with pretended cards: torch itself says what a card is."""

import shutil
from types import SimpleNamespace

import pytest
import torch

from stacklab.base.version import VERSION
from stacklab.cli.doctor import doctor

H100 = SimpleNamespace(name="NVIDIA H100 80GB HBM3", major=9, minor=0, total_memory=80 * 2**30)
T4 = SimpleNamespace(name="Tesla T4", major=7, minor=5, total_memory=15 * 2**30)
P100 = SimpleNamespace(name="Tesla P100-PCIE-16GB", major=6, minor=0, total_memory=16 * 2**30)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """What doctor prints on a machine with the given cards, one line per row."""
    monkeypatch.setenv("COLUMNS", "300")

    def look(*cards: SimpleNamespace) -> list[str]:
        monkeypatch.setattr(torch.version, "cuda", "12.8" if cards else None)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: bool(cards))
        monkeypatch.setattr(torch.cuda, "device_count", lambda: len(cards))
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index=None: cards[index or 0])
        monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: ["sm_75", "sm_80", "sm_90", "compute_90"])
        doctor()
        return capsys.readouterr().out.splitlines()

    return look


def row(lines: list[str], name: str) -> str:
    (line,) = [line for line in lines if f"│ {name} " in line]
    return line


def test_without_a_card_the_device_is_the_processor(seen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    lines = seen()
    assert VERSION in row(lines, "stacklab")
    assert f"{torch.__version__}, built without CUDA" in row(lines, "torch")
    assert "ok" in row(lines, "device") and "cpu, by train.device = auto" in row(lines, "device")
    assert not any("kernel" in line for line in lines)


def test_a_driver_that_torch_cannot_use_is_pointed_out(seen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    device = row(seen(), "device")
    assert "check" in device and "torch cannot use a card" in device


def test_each_card_has_a_row_and_equal_ones_share_their_kernels(seen) -> None:
    lines = seen(T4, H100, T4)
    assert "built for CUDA 12.8" in row(lines, "torch")
    assert "cuda, by train.device = auto" in row(lines, "device")
    assert "NVIDIA H100 80GB HBM3, 80.00 GiB, sm90, bf16, " in row(lines, "cuda:1")
    assert "989 TFLOP/s stated" in row(lines, "cuda:1")
    assert "Tesla T4, 15.00 GiB, sm75, no bf16, " in row(lines, "cuda:2")
    assert [line.strip() for line in lines if line.startswith("kernels on")] == [
        "kernels on cuda:0, cuda:2",
        "kernels on cuda:1",
    ]


def test_a_card_that_the_build_does_not_know_is_pointed_out(seen) -> None:
    lines = seen(P100)
    assert "check" in row(lines, "cuda:0") and "peak rate unknown: no MFU" in row(lines, "cuda:0")
    assert "this build of torch has no code for sm60" in row(lines, "all")
    assert "check" in row(lines, "device") and "use train.device=cpu, or another build of torch" in row(lines, "device")
