import os
import sys
from pathlib import Path

import pytest

from stacklab.base.errors import UserError
from stacklab.study.engines import machine


@pytest.mark.parametrize(
    ("text", "workers"), [("150000 100000", 1), ("200000 100000", 2), ("max 100000", 16), ("50000 100000", 1), ("", 16)]
)
def test_the_quota_of_a_container_limits_the_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, workers: int
) -> None:
    quota = tmp_path / "cpu.max"
    quota.write_text(text)
    monkeypatch.setattr(machine, "CPU_QUOTA", quota)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(16)), raising=False)
    assert machine.cores() == workers


@pytest.mark.skipif(sys.platform != "linux", reason="processor affinity is set this way on Linux only")
def test_affinity_limits_the_cores() -> None:
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert machine.cores() == 1
    finally:
        os.sched_setaffinity(0, before)


@pytest.fixture(autouse=True)
def no_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


@pytest.fixture
def cards(tmp_path: Path) -> Path:
    """A machine with three cards."""
    for name in ("nvidia0", "nvidia2", "nvidia10", "nvidiactl", "nvidia-uvm"):
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (None, ["0", "1", "2"]),
        ("2, 0", ["2", "0"]),
        ("1,1", ["1"]),
        ("GPU-8932f937,GPU-1a", ["GPU-8932f937", "GPU-1a"]),
        ("MIG-GPU-8932f937/1/0", ["MIG-GPU-8932f937/1/0"]),
        ("", []),
        ("-1", []),
        ("1,-1,0", ["1"]),
        ("NoDevFiles", []),
    ],
)
def test_gpus_are_those_that_the_user_leaves_visible(
    cards: Path, monkeypatch: pytest.MonkeyPatch, chosen: str | None, expected: list[str]
) -> None:
    if chosen is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
    assert machine.gpus(cards) == expected


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ("0", "CUDA_VISIBLE_DEVICES=0,3 names GPU 3, but this machine has 1 GPU, number 0"),
        ("012", "CUDA_VISIBLE_DEVICES=0,3 names GPU 3, but this machine has 3 GPUs, numbers 0 to 2"),
    ],
)
def test_more_cards_than_exist_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nodes: str, message: str
) -> None:
    for number in nodes:
        (tmp_path / f"nvidia{number}").touch()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,3")
    with pytest.raises(UserError) as caught:
        machine.gpus(tmp_path)
    assert (str(caught.value), caught.value.exit_code) == (message, 2)


def test_a_card_that_may_not_be_opened_is_not_counted(cards: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: path.name != "nvidia0")
    assert machine.gpus(cards) == ["0", "1"]


LISTING = "echo 'GPU 0: NVIDIA A (UUID: GPU-1)'; echo '  MIG 1g.5gb Device 0:'; echo 'GPU 1: NVIDIA A (UUID: GPU-2)'"


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (LISTING, ["0", "1"]),
        ("echo 'No devices were found'", []),
        ("echo 'GPU 0: NVIDIA A'; exit 9", []),
        ("exec sleep 60", []),
    ],
    ids=["two cards", "none", "fails", "hangs"],
)
def test_where_cards_have_no_files_nvidia_smi_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, expected: list[str]
) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(machine, "SMI_SECONDS", 0.5 if "sleep" in script else 30)
    assert machine.gpus(tmp_path) == expected
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-2")
    assert machine.gpus(tmp_path) == (["GPU-2"] if expected else [])


def test_without_a_device_there_is_no_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    assert machine.gpus(tmp_path) == []


@pytest.mark.parametrize(("runs", "workers"), [(10, 4), (3, 3), (1, 1), (0, 1)])
def test_without_a_card_there_is_one_worker_per_core(monkeypatch: pytest.MonkeyPatch, runs: int, workers: int) -> None:
    monkeypatch.setattr(machine, "cores", lambda: 4)
    assert machine.default_workers(runs) == workers


def test_which_devices_are_cards() -> None:
    assert [device for device in ("auto", "cpu", "cuda", "mps") if machine.uses_card(device)] == ["auto", "cuda"]
