"""Matrix products alone: those of a training step, and large square ones, by which others are judged."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from stacklab.bench.spec import StepSpec
from stacklab.model.ops.piece_size import loss_rows, padded_vocab
from stacklab.train.device import DeviceChoice

SQUARE, SQUARES = 8192, 8
"""Size and number of the square products of a step of `matrix_step`."""

Shape = tuple[int, int, int]
"""Rows, inputs and outputs of a linear map."""


def products_step(spec: StepSpec, choice: DeviceChoice) -> Callable[[int], None]:
    """Only the matrix products of a step's linear maps, forward and both gradients, into buffers that are kept."""
    shapes = list(_shapes(spec, choice.device))
    buffers = {shape: tuple(_buffers(*shape, choice)) for shape in set(shapes)}

    def step(number: int) -> None:
        for shape in shapes:
            x_ND, weight_VD, out_NV, grad_x_ND, grad_weight_VD = buffers[shape]
            torch.mm(x_ND, weight_VD.t(), out=out_NV)
            torch.mm(out_NV, weight_VD, out=grad_x_ND)
            torch.mm(out_NV.t(), x_ND, out=grad_weight_VD)

    return step


def matrix_step(choice: DeviceChoice) -> Callable[[int], None]:
    """SQUARES products of square matrices of size SQUARE, in the number format of products."""
    first, second, out, *_ = _buffers(SQUARE, SQUARE, SQUARE, choice)

    def step(number: int) -> None:
        for _ in range(SQUARES):
            torch.mm(first, second, out=out)

    return step


MATRIX_FLOPS = SQUARES * 2 * SQUARE**3
"""Floating-point operations of a step of `matrix_step`."""


def product_flops(spec: StepSpec) -> int:
    """Floating-point operations of a step of `products_step`, without those of the padding."""
    width = spec.model.d_model
    body = sum(4 * width * width + 2 * width * one.d_ff for one in spec.model.layers)
    return head_flops(spec) + 3 * 2 * body * spec.tokens


def head_flops(spec: StepSpec) -> int:
    """Floating-point operations of the head's three products in a step."""
    assert spec.model.vocab_size is not None
    return 3 * 2 * spec.tokens * spec.model.d_model * spec.model.vocab_size


def _shapes(spec: StepSpec, device: torch.device) -> Iterator[Shape]:
    width, vocab = spec.model.d_model, spec.model.vocab_size
    assert vocab is not None
    for layer in spec.model.layers:
        yield from ((spec.tokens, width, size) for size in (3 * width, width, layer.d_ff, layer.d_ff))
    most = loss_rows(spec.tokens, chunk_rows=spec.train.loss_chunk_rows, vocab=vocab, device_type=device.type)
    padded = vocab if device.type == "cpu" else padded_vocab(vocab)
    for start in range(0, spec.tokens, most):
        yield min(most, spec.tokens - start), width, padded


def _buffers(rows: int, width: int, size: int, choice: DeviceChoice) -> Iterator[Tensor]:
    generator = torch.Generator().manual_seed(0)
    dtype = choice.product_dtype or torch.float32
    for shape in ((rows, width), (size, width)):
        yield torch.randn(shape, generator=generator).to(choice.device, dtype)
    for shape in ((rows, size), (rows, width), (size, width)):
        yield torch.zeros(shape, dtype=dtype, device=choice.device)
