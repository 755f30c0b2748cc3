"""Which errors are those of a card without memory, and what the user is told."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from tests.run.tasks import make_runs, task_spec

from stacklab.study.engines.attempt import is_out_of_memory, out_of_memory, smaller


def wrapped(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB."), True),
        (torch.cuda.OutOfMemoryError(), True),
        (RuntimeError("CUDA error: out of memory\nCompile with `TORCH_USE_CUDA_DSA`"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (RuntimeError("Triton Error [CUDA]: out of memory"), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 18.00 GB)"), True),
        (wrapped(RuntimeError("the backend failed"), torch.OutOfMemoryError("CUDA out of memory.")), True),
        (RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"), False),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), False),
        (MemoryError("out of memory"), False),
        (ValueError("CUDA error: out of memory"), False),
    ],
)
def test_errors_of_a_full_card_are_told_from_others(error: Exception, expected: bool) -> None:
    assert is_out_of_memory(error) is expected


def test_the_reason_names_the_card_and_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    card = SimpleNamespace(name="NVIDIA T4", total_memory=15 * 2**30)
    monkeypatch.setitem(
        sys.modules, "torch", SimpleNamespace(cuda=SimpleNamespace(get_device_properties=lambda index: card))
    )
    assert out_of_memory() == "out of GPU memory (NVIDIA T4, 15.00 GiB)"
    monkeypatch.delitem(sys.modules, "torch")
    assert out_of_memory() == "out of GPU memory"


@pytest.mark.parametrize(
    ("batch", "micro", "expected"),
    [
        (12, None, "train.micro_batch_size=6 needs less (same batch, accumulated)"),
        (12, 4, "train.micro_batch_size=3 needs less (same batch, accumulated)"),
        (12, 1, "with micro-batches of 1, only a smaller model.d_model, model.num_layers or data.block_size"),
    ],
)
def test_the_nearest_setting_is_the_next_smaller_micro_batch(
    tmp_path: Path, batch: int, micro: int | None, expected: str
) -> None:
    spec = task_spec(batch_size=batch, micro_batch_size=micro)
    (paths,) = make_runs(tmp_path, [spec])
    assert smaller(paths.folder).startswith(expected)


def test_a_run_that_cannot_be_read_gets_general_advice(tmp_path: Path) -> None:
    assert smaller(tmp_path) == "a smaller train.micro_batch_size needs less"
