"""Operations of layers, for many small models at once: the first axis of tensors is the replicas.

On one thread of a CPU the numbers of each replica are the same, bit for bit, in any stack: products run replica by
replica inside one call, and no sum crosses replicas. On a card the number of replicas may decide which kernel runs.
"""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable


class StackComputation(NamedTuple):
    """How stacks compute. product_dtype, stream_dtype: as in model.transformer.Computation.

    fused_attention: by torch's fused kernel; otherwise by `attend` and `read`, which compute in the format of the
    weights and are faster on a CPU for sequences of some dozens of positions.
    """

    product_dtype: torch.dtype | None = None
    stream_dtype: torch.dtype | None = None
    fused_attention: bool = False


AS_WEIGHTS = StackComputation()
"""Everything in the format of the weights, attention by the kernels of this file."""


def linear(
    x_RNI: Tensor, weight_ROI: Tensor, *, bias_R1O: Tensor | None = None, dtype: torch.dtype | None = None
) -> Tensor:
    """Each replica's rows through its own weights. dtype: that of the product, and of the result; None: as they are."""
    weight_RIO = weight_ROI.transpose(1, 2)
    if dtype is not None:
        x_RNI, weight_RIO = x_RNI.to(dtype), weight_RIO.to(dtype)
        bias_R1O = None if bias_R1O is None else bias_R1O.to(dtype)
    return torch.bmm(x_RNI, weight_RIO) if bias_R1O is None else torch.baddbmm(bias_R1O, x_RNI, weight_RIO)


def linear_onto(x_RNI: Tensor, weight_ROI: Tensor, onto_RNO: Tensor, *, dtype: torch.dtype | None = None) -> Tensor:
    """`linear`, added to `onto`, in whose format the result is."""
    if dtype is None:
        return torch.baddbmm(onto_RNO, x_RNI, weight_ROI.transpose(1, 2))
    return onto_RNO + linear(x_RNI, weight_ROI, dtype=dtype)


def linear_onto_rows(x_RNI: Tensor, weight_ROI: Tensor, table_RPO: Tensor, row_N: Tensor) -> Tensor:
    """`linear_onto` rows of a table: row_N holds, per place of any replica, an index into the rows of all."""
    y_RNO: Tensor = _LinearOntoRows.apply(x_RNI, weight_ROI, table_RPO, row_N)  # type: ignore[no-untyped-call]
    return y_RNO


def attend(q_GQK: Tensor, k_GSK: Tensor, v_GSL: Tensor, *, hidden_QS: Tensor, scale: float) -> Tensor:
    """softmax(q k^T scale + hidden) v for G independent groups; hidden is -inf where a query does not see a key.

    For sequences of some dozens of positions, where torch's fused kernel takes several times as long as the products.
    """
    o_GQL: Tensor = _Attend.apply(q_GQK, k_GSK, v_GSL, hidden_QS, scale)  # type: ignore[no-untyped-call]
    return o_GQL


def read(q_GQD: Tensor, x_GSD: Tensor, *, hidden_QS: Tensor, scale: float) -> Tensor:
    """`attend` where x serves as keys and as values."""
    o_GQD: Tensor = _Read.apply(q_GQD, x_GSD, hidden_QS, scale)  # type: ignore[no-untyped-call]
    return o_GQD


def fused_attend(
    q_BHQK: Tensor, k_BHSK: Tensor, v_BHSL: Tensor, *, seen_QS: Tensor | None, causal: bool, scale: float, p: float
) -> Tensor:
    """`attend` by torch's kernel, per head; `p` is the dropout of the shares, drawn by the device's generator.

    seen_QS: the keys that each query sees; None: all, or, where `causal`, those up to its own position.
    """
    return F.scaled_dot_product_attention(
        q_BHQK, k_BHSK, v_BHSL, attn_mask=seen_QS, is_causal=causal, dropout_p=p, scale=scale
    )


def with_columns(x_RBTD: Tensor, columns_C: Tensor) -> tuple[Tensor, Tensor]:
    """x, and its rows at some columns. The gradient of x is added to in place: nothing else may keep it."""
    both: tuple[Tensor, Tensor] = _WithColumns.apply(x_RBTD, columns_C)  # type: ignore[no-untyped-call]
    return both


def _share_GQS(q_GQK: Tensor, k_GSK: Tensor, hidden_QS: Tensor, scale: float) -> Tensor:
    return torch.softmax(torch.baddbmm(hidden_QS, q_GQK, k_GSK.transpose(1, 2), alpha=scale), -1)


def _grad_score_GQS(grad_o_GQL: Tensor, v_GSL: Tensor, share_GQS: Tensor, scale: float) -> Tensor:
    """The gradient of q k^T."""
    grad_share_GQS = torch.bmm(grad_o_GQL, v_GSL.transpose(1, 2))
    return torch._softmax_backward_data(grad_share_GQS, share_GQS, -1, share_GQS.dtype).mul_(scale)


class _LinearOntoRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_RNI: Tensor, weight_ROI: Tensor, table_RPO: Tensor, row_N: Tensor) -> Tensor:
        ctx.save_for_backward(x_RNI, weight_ROI, row_N)
        ctx.shape = table_RPO.shape
        y_RNO = table_RPO.flatten(0, 1).index_select(0, row_N).view(*x_RNI.shape[:2], -1)
        return y_RNO.baddbmm_(x_RNI, weight_ROI.transpose(1, 2))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_y_RNO: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        x_RNI, weight_ROI, row_N = ctx.saved_tensors
        grad_table_RPO = grad_y_RNO.new_zeros(ctx.shape)
        grad_table_RPO.flatten(0, 1).index_add_(0, row_N, grad_y_RNO.flatten(0, 1))
        return torch.bmm(grad_y_RNO, weight_ROI), torch.bmm(grad_y_RNO.transpose(1, 2), x_RNI), grad_table_RPO, None


class _Attend(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q_GQK: Tensor, k_GSK: Tensor, v_GSL: Tensor, hidden_QS: Tensor, scale: float) -> Tensor:
        share_GQS = _share_GQS(q_GQK, k_GSK, hidden_QS, scale)
        ctx.save_for_backward(q_GQK, k_GSK, v_GSL, share_GQS)
        ctx.scale = scale
        return torch.bmm(share_GQS, v_GSL)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_o_GQL: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        q_GQK, k_GSK, v_GSL, share_GQS = ctx.saved_tensors
        grad_score_GQS = _grad_score_GQS(grad_o_GQL, v_GSL, share_GQS, ctx.scale)
        grad_k_GSK = torch.bmm(grad_score_GQS.transpose(1, 2), q_GQK)
        grad_v_GSL = torch.bmm(share_GQS.transpose(1, 2), grad_o_GQL)
        return torch.bmm(grad_score_GQS, k_GSK), grad_k_GSK, grad_v_GSL, None, None


class _Read(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q_GQD: Tensor, x_GSD: Tensor, hidden_QS: Tensor, scale: float) -> Tensor:
        share_GQS = _share_GQS(q_GQD, x_GSD, hidden_QS, scale)
        ctx.save_for_backward(q_GQD, x_GSD, share_GQS)
        ctx.scale = scale
        return torch.bmm(share_GQS, x_GSD)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_o_GQD: Tensor) -> tuple[Tensor, Tensor, None, None]:
        q_GQD, x_GSD, share_GQS = ctx.saved_tensors
        grad_score_GQS = _grad_score_GQS(grad_o_GQD, x_GSD, share_GQS, ctx.scale)
        return (
            torch.bmm(grad_score_GQS, x_GSD),
            _grad_read_GSD(grad_score_GQS, share_GQS, q_GQD, grad_o_GQD),
            None,
            None,
        )


def _grad_read_GSD(grad_score_GQS: Tensor, share_GQS: Tensor, q_GQD: Tensor, grad_o_GQD: Tensor) -> Tensor:
    """x receives one product as keys and one as values. For few queries these are thin, and a joint one is faster."""
    if 4 * q_GQD.shape[1] > share_GQS.shape[2]:
        grad_x_GSD = torch.bmm(grad_score_GQS.transpose(1, 2), q_GQD)
        return grad_x_GSD.baddbmm_(share_GQS.transpose(1, 2), grad_o_GQD)
    left_GPS, right_GPD = torch.cat((grad_score_GQS, share_GQS), 1), torch.cat((q_GQD, grad_o_GQD), 1)
    return torch.bmm(left_GPS.transpose(1, 2), right_GPD)


class _WithColumns(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_RBTD: Tensor, columns_C: Tensor) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(columns_C)
        return x_RBTD.detach(), x_RBTD.index_select(2, columns_C)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_x_RBTD: Tensor, grad_columns_RBCD: Tensor) -> tuple[Tensor, None]:
        (columns_C,) = ctx.saved_tensors
        return grad_x_RBTD.index_add_(2, columns_C, grad_columns_RBCD), None
