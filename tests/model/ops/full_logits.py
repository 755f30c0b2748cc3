"""The chunked loss and, as its reference, full logits in float64.

Errors are relative to the size of the whole tensor. Half an eps of the format is the error of rounding one number;
logits, their gradient and each product are rounded once, so a few eps are allowed, and no more.
"""

from collections.abc import Callable
from typing import NamedTuple

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from stacklab.model.ops.linear_cross_entropy import IGNORE_INDEX, linear_cross_entropy

CPU, CARD = torch.device("cpu"), torch.device("cuda")
DEVICES = [CPU, pytest.param(CARD, marks=pytest.mark.gpu)]
LOW = [torch.bfloat16, torch.float16]
FORMATS = [*LOW, torch.float32]


class Result(NamedTuple):
    loss: Tensor
    grad_x_ND: Tensor
    grad_weight_VD: Tensor


def draw(
    rows: int, width: int, vocab: int, dtype: torch.dtype, device: torch.device = CPU
) -> tuple[Tensor, Tensor, Tensor]:
    """x_ND, weight_VD and target_N; the numbers are those of `dtype` exactly, held in fp32."""
    generator = torch.Generator().manual_seed(rows * 10_000 + vocab)
    x_ND = torch.randn(rows, width, generator=generator)
    weight_VD = torch.randn(vocab, width, generator=generator) * 0.5
    target_N = torch.randint(0, vocab, (rows,), generator=generator)
    return x_ND.to(dtype).float().to(device), weight_VD.to(dtype).float().to(device), target_N.to(device)


def gradients(loss_of: Callable[[Tensor, Tensor], Tensor], x_ND: Tensor, weight_VD: Tensor, factor: float) -> Result:
    x_ND, weight_VD = x_ND.detach().clone().requires_grad_(), weight_VD.detach().clone().requires_grad_()
    loss = loss_of(x_ND, weight_VD)
    (loss * factor).backward()
    assert x_ND.grad is not None
    assert weight_VD.grad is not None
    return Result(loss.detach(), x_ND.grad, weight_VD.grad)


def reference(x_ND: Tensor, weight_VD: Tensor, target_N: Tensor, *, factor: float = 1.0) -> Result:
    def loss_of(x_ND: Tensor, weight_VD: Tensor) -> Tensor:
        return F.cross_entropy(x_ND @ weight_VD.T, target_N, ignore_index=IGNORE_INDEX)

    return gradients(loss_of, x_ND.double(), weight_VD.double(), factor)


def chunked(
    x_ND: Tensor,
    weight_VD: Tensor,
    target_N: Tensor,
    dtype: torch.dtype | None,
    *,
    rows: int = 24,
    factor: float = 1.0,
) -> Result:
    def loss_of(x_ND: Tensor, weight_VD: Tensor) -> Tensor:
        return linear_cross_entropy(x_ND, weight_VD, target_N, chunk_rows=rows, dtype=dtype)

    return gradients(loss_of, x_ND, weight_VD, factor)


def error(actual: Tensor, expected: Tensor) -> float:
    return float((actual.double() - expected).norm() / expected.norm())


def assert_close(actual: Result, expected: Result, dtype: torch.dtype, *, eps: float = 3) -> None:
    """eps: the number of them that is allowed."""
    for name, one, other in zip(Result._fields, actual, expected, strict=True):
        assert error(one, other) < eps * torch.finfo(dtype).eps, name
