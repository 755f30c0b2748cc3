"""Times attention layers alone, forward and backward with dropout, interleaved. Nothing is written."""

import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

import torch

from stacklab.base.streams import stream_seed
from stacklab.model.block import Block
from stacklab.model.init import build
from stacklab.model.ops.dropout import GENERATOR
from stacklab.model.transformer import Computation
from stacklab.run.timing.attention_form import AttentionForm
from stacklab.run.timing.rounds import TimedBlock, in_turn, sized, synchronise
from stacklab.train.device import DTYPES, pick_device, pick_precision

FEWEST_ROUNDS, MOST_ROUNDS, FORM_SECONDS = 3, 15, 1.0
"""Rounds are repeated for FORM_SECONDS per form, within the limits of their number."""
BLOCK_SECONDS, MOST_CALLS = 0.05, 50
"""A round calls each layer for about BLOCK_SECONDS, at most MOST_CALLS times."""


def answer(question: Any, out: Path) -> list[list[float]]:
    """`measure` for AttentionForms as plain values. No data are needed."""
    return measure([AttentionForm.model_validate(row) for row in question])


def measure(forms: Sequence[AttentionForm]) -> list[list[float]]:
    """Seconds of one micro-batch through each layer, by round."""
    blocks = [_block(form) for form in forms]
    return in_turn(blocks, fewest=FEWEST_ROUNDS, most=MOST_ROUNDS, seconds=FORM_SECONDS * len(forms))


def _block(form: AttentionForm) -> TimedBlock:
    device = pick_device(form.device)
    model = build(form.model, seed=0, device=str(device))
    on_cpu = device.type == "cpu"
    dtype = DTYPES.get(pick_precision(form.precision, device))
    model.compute_with(Computation(product_dtype=dtype, uses_generator=not on_cpu))
    block = model.blocks[0]
    assert isinstance(block, Block)
    layer = block.attention
    shape, seeds = (form.micro_batch, form.context, form.model.d_model), count()
    # The cost of a mask of records does not depend on where they begin.
    packed = None if form.packing == "stream" else torch.arange(form.context, device=device).expand(shape[:2])

    def train(number: int) -> float:
        generator = torch.Generator().manual_seed(stream_seed(0, "attention cost"))
        x_BTD, gradient_BTD = (torch.empty(shape).normal_(generator=generator).to(device) for _ in range(2))
        x_BTD.requires_grad_()
        synchronise(device)
        began = time.perf_counter()
        for seed in (next(seeds) for _ in range(number)):
            y_BTD = layer(x_BTD, seed if on_cpu else GENERATOR, positions_BT=packed)
            y_BTD.backward(gradient_BTD.to(y_BTD.dtype))
            layer.zero_grad(set_to_none=True)
            x_BTD.grad = None
        synchronise(device)
        return (time.perf_counter() - began) / number

    return sized(train, seconds=BLOCK_SECONDS, most=MOST_CALLS)
