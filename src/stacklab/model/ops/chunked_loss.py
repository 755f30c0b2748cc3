"""Cross-entropy of a linear head in chunks of rows, for low precision and for devices other than the CPU.

Products run in one number format (`dtype`), everything else in fp32 (fp64 where `dtype` is fp64): logits where torch
can write them so, softmax, and the sum of the table's gradient over chunks, whose error would otherwise grow with
their number. Gradients are computed in the forward pass, while the logits of a chunk are in memory.

The products see the gradients of the sum of all losses, which lie in [-1, 1]. The division by the number of targets and
the factor that arrives in `backward`, such as the loss scale of fp16, are applied in fp32 afterwards: divided first,
most gradients would be too small for fp16. Nothing here waits for the device: counts stay on it, and rows without a
target are masked rather than left out.

In shape suffixes, P is the vocabulary, padded so that each row of logits begins at an address that matrix kernels like.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from stacklab.model.ops import compilation
from stacklab.model.ops.piece_size import padded_vocab

Pass = Callable[..., tuple[Tensor, Tensor]]

_FP16_SCALE = 64.0
"""Factor on gradients of logits in fp16: without it, probabilities below 3e-8 would be zero, with it those below
5e-10."""
_FP16_LARGEST = 2.0**15
"""Bound on the table's gradient in fp16, half of what the format holds."""


def mean_loss(
    x_ND: Tensor, weight_VD: Tensor, target_N: Tensor, kept_N: Tensor, rows: int, dtype: torch.dtype
) -> Tensor:
    """Mean over the kept rows of the cross-entropy in nats, a scalar of the format that sums have, with gradients.

    kept_N: rows that count; the others' targets may be any id. rows: of logits, computed at a time. `backward` may be
    called once only, without `create_graph`.

    Raises:
        RuntimeError: from `backward`, when it is called a second time.
    """
    loss: Tensor = _ChunkedLoss.apply(x_ND, weight_VD, target_N, kept_N, rows, dtype)  # type: ignore[no-untyped-call]
    return loss


def row_losses(
    x_ND: Tensor, weight_VD: Tensor, target_N: Tensor, kept_N: Tensor, rows: int, dtype: torch.dtype
) -> Tensor:
    """The loss of each row in nats, without gradients; 0 where it is not kept. Arguments as of `mean_loss`."""
    head = _Head(weight_VD, dtype)
    loss_N = x_ND.new_empty(x_ND.shape[0], dtype=head.wide)
    for part in _chunks(x_ND.shape[0], rows):
        logit_RP = head.logits(x_ND[part].to(dtype))
        loss_N[part], _ = _run(losses, logit_RP, target_N[part], kept_N[part])
    return loss_N


def losses(logit_RP: Tensor, target_R: Tensor, kept_R: Tensor) -> tuple[Tensor, Tensor]:
    """The loss of each row, 0 where it is not kept, and the log of the sum of exp(logit)."""
    logit_RP = logit_RP.to(_wide(logit_RP.dtype))
    log_sum_R = logit_RP.logsumexp(1)
    loss_R = log_sum_R - logit_RP.gather(1, target_R[:, None])[:, 0]
    return loss_R.masked_fill(~kept_R, 0.0), log_sum_R


def softmax_pass(
    logit_RP: Tensor, target_R: Tensor, kept_R: Tensor, scale: float, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """The loss of each row, and `scale` times its probabilities in `dtype`; both are 0 where it is not kept.

    Compiled, it reads the logits and writes the probabilities, and keeps nothing else of their size.
    """
    logit_RP = logit_RP.to(_wide(logit_RP.dtype))
    loss_R, log_sum_R = losses(logit_RP, target_R, kept_R)
    shift_R = log_sum_R.masked_fill(~kept_R, math.inf) - math.log(scale)
    return loss_R, (logit_RP - shift_R[:, None]).exp_().to(dtype)


@functools.cache
def compiled(function: Pass) -> Pass:
    """Once per format and vocabulary; see `_run` for the number of rows."""
    compiled_function: Pass = torch.compile(function)
    return compiled_function


def has_wide_products(device: torch.device) -> bool:
    """Whether torch multiplies fp16 and bf16 matrices into an fp32 one there: from 2.8, on CUDA."""
    return device.type == "cuda" and torch.version.hip is None and hasattr(torch.ops.aten.mm, "dtype")


class _ChunkedLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x_ND: Tensor, weight_VD: Tensor, target_N: Tensor, kept_N: Tensor, rows: int, dtype: torch.dtype
    ) -> Tensor:
        needs_x, needs_weight = ctx.needs_input_grad[:2]
        sums = _Sums(x_ND, weight_VD, rows, dtype, needs_x=needs_x, needs_weight=needs_weight)
        for part in _chunks(x_ND.shape[0], rows):
            sums.add(part, target_N[part], kept_N[part])
        count = kept_N.sum()
        ctx.sums, ctx.count = sums, count.clamp(min=1)
        return sums.loss_N.sum() / count

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_loss: Tensor) -> tuple[Tensor | None, Tensor | None, None, None, None, None]:
        if ctx.sums is None:
            raise RuntimeError(
                "linear_cross_entropy: backward called twice, but its gradients are kept for one call only"
            )
        grad_x_ND, grad_weight_VD = ctx.sums.gradients(grad_loss / ctx.count)
        # Dropping them here makes the receiver their only owner, which saves a copy of hundreds of megabytes.
        ctx.sums = None
        return grad_x_ND, grad_weight_VD, None, None, None, None


class _Sums:
    """Losses and gradients of the sum of losses, gathered chunk by chunk.

    In fp16, gradients of logits carry the factor `scale`, and the rows that they multiply in the table's gradient carry
    `x_scale`, chosen so that no sum over the rows of a chunk can leave the format. Elsewhere both factors are 1.
    """

    def __init__(
        self, x_ND: Tensor, weight_VD: Tensor, rows: int, dtype: torch.dtype, *, needs_x: bool, needs_weight: bool
    ) -> None:
        self.head, self.needs_weight = _Head(weight_VD, dtype), needs_weight
        self.formats = (x_ND.dtype, weight_VD.dtype)
        self.x_ND = self.scaled_x_ND = x_ND.to(dtype)
        self.scale, self.x_scale = 1.0, x_ND.new_ones((), dtype=self.head.wide)
        if dtype == torch.float16 and x_ND.numel():
            self.scale = _FP16_SCALE
            largest = x_ND.abs().amax().to(self.head.wide).clamp(min=1e-20)
            self.x_scale = _FP16_LARGEST / (min(rows, x_ND.shape[0]) * self.scale * largest)
            self.scaled_x_ND = (x_ND * self.x_scale).to(dtype)
        self.loss_N = x_ND.new_empty(x_ND.shape[0], dtype=self.head.wide)
        self.grad_x_ND = torch.empty_like(x_ND, dtype=self.head.wide) if needs_x else None
        self.grad_weight_VD: Tensor | None = None

    def add(self, part: slice, target_R: Tensor, kept_R: Tensor) -> None:
        self.loss_N[part], grad_RP = self._logit_gradient(self.x_ND[part], target_R, kept_R)
        if self.grad_x_ND is not None:
            self.grad_x_ND[part] = _product(grad_RP, self.head.weight_PD)
        if self.needs_weight:
            product_VD = _product(grad_RP.t()[: self.head.vocab], self.scaled_x_ND[part])
            if self.grad_weight_VD is None:
                self.grad_weight_VD = product_VD.to(self.head.wide)
            else:
                self.grad_weight_VD += product_VD

    def _logit_gradient(self, x_RD: Tensor, target_R: Tensor, kept_R: Tensor) -> tuple[Tensor, Tensor]:
        """Losses, and `scale` times the gradient of their sum: probabilities, minus 1 at the target.

        That entry is expm1(-loss), which keeps its digits where the probability is close to 1.
        """
        logit_RP = self.head.logits(x_RD)
        loss_R, grad_RP = _run(softmax_pass, logit_RP, target_R, kept_R, self.scale, self.head.dtype)
        row_R = torch.arange(x_RD.shape[0], device=x_RD.device)
        grad_RP[row_R, target_R] = (loss_R.neg().expm1() * self.scale).to(self.head.dtype)
        return loss_R, grad_RP

    def gradients(self, factor: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Those of x and of the table times `factor`, each in the format of its tensor; None where not needed."""
        factor = factor / self.scale
        x_format, weight_format = self.formats
        grad_x_ND, grad_weight_VD = self.grad_x_ND, self.grad_weight_VD
        if grad_x_ND is not None:
            grad_x_ND = grad_x_ND.mul_(factor).to(x_format)
        if grad_weight_VD is not None:
            grad_weight_VD = grad_weight_VD.mul_(factor / self.x_scale).to(weight_format)
        return grad_x_ND, grad_weight_VD


class _Head:
    """The table in the format of the products, with rows of zeros below it; `wide` is the format of sums."""

    def __init__(self, weight_VD: Tensor, dtype: torch.dtype) -> None:
        self.vocab, self.dtype, self.wide = weight_VD.shape[0], dtype, _wide(dtype)
        padded = padded_vocab(self.vocab)
        if padded == self.vocab:
            self.weight_PD = weight_VD.to(dtype)
        else:
            self.weight_PD = weight_VD.new_zeros(padded, weight_VD.shape[1], dtype=dtype)
            self.weight_PD[: self.vocab] = weight_VD

    def logits(self, x_RD: Tensor) -> Tensor:
        """In `wide` or in `dtype`; minus infinity in the padding, whose probabilities are then exactly zero."""
        logit_RP = _product(x_RD, self.weight_PD.t())
        logit_RP[:, self.vocab :] = -math.inf
        return logit_RP


def _product(a: Tensor, b: Tensor) -> Tensor:
    """a @ b, in fp32 where torch can write it so, else in the format of both."""
    if a.dtype != _wide(a.dtype) and has_wide_products(a.device):
        return torch.mm(a, b, out_dtype=_wide(a.dtype))
    return torch.mm(a, b)


def _run(function: Pass, logit_RP: Tensor, target_R: Tensor, kept_R: Tensor, *rest: object) -> tuple[Tensor, Tensor]:
    """Compiled where that works. The number of rows is marked as variable from the first call on: one kernel serves all
    chunks, whichever came first, so a resumed run uses the same kernels as one that never stopped.
    """
    if not compilation.compiles(logit_RP.device):
        return function(logit_RP, target_R, kept_R, *rest)
    for tensor in (logit_RP, target_R, kept_R):
        torch._dynamo.maybe_mark_dynamic(tensor, 0)
    return compiled(function)(logit_RP, target_R, kept_R, *rest)


def _wide(dtype: torch.dtype) -> torch.dtype:
    """The format of sums: fp32, or fp64 for fp64."""
    return torch.promote_types(dtype, torch.float32)


def _chunks(num_rows: int, rows: int) -> list[slice]:
    return [slice(start, min(start + rows, num_rows)) for start in range(0, num_rows, rows)]
