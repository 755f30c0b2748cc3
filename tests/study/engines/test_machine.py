import os
import sys
from pathlib import Path

import pytest

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


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [(None, ["0", "2", "10"]), ("2,0", ["2", "0"]), ("GPU-8932f937", ["GPU-8932f937"]), ("", []), ("-1", [])],
)
def test_gpus_are_the_devices_that_the_user_leaves_visible(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chosen: str | None, expected: list[str]
) -> None:
    for name in ("nvidia0", "nvidia2", "nvidia10", "nvidiactl", "nvidia-uvm"):
        (tmp_path / name).touch()
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if chosen is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
    assert machine.gpus(tmp_path) == expected


def test_without_a_device_there_is_no_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    assert machine.gpus(tmp_path) == []


@pytest.mark.parametrize(
    ("runs", "gpus", "workers"), [(10, 0, 4), (3, 0, 3), (1, 0, 1), (10, 2, 2), (1, 2, 1), (0, 0, 1)]
)
def test_one_slot_a_core_or_a_gpu(monkeypatch: pytest.MonkeyPatch, runs: int, gpus: int, workers: int) -> None:
    monkeypatch.setattr(machine, "cores", lambda: 4)
    monkeypatch.setattr(machine, "gpus", lambda: [str(index) for index in range(gpus)])
    assert machine.default_workers(runs) == workers
