"""Seconds of attention layers alone, forward and backward with dropout, taken in turn in one process.

`python -m stacklab.run.attention_cost OUT THREADS` reads a JSON list of AttentionForms from standard input and answers
with the seconds of each, a list of rounds. Nothing is written.
"""

import json
import math
import sys
import time
from collections.abc import Callable, Sequence
from itertools import count

import torch

from stacklab.base.streams import stream_seed
from stacklab.model.block import Block
from stacklab.model.init import build
from stacklab.run.attention_form import AttentionForm
from stacklab.run.environment import prepare_process
from stacklab.train.precision import autocast, pick_device, resolve

FEWEST_ROUNDS, MOST_ROUNDS, FORM_SECONDS = 3, 15, 1.0
"""Rounds are measured for FORM_SECONDS per form, within limits."""
BLOCK_SECONDS, MOST_CALLS = 0.05, 50
"""A round calls a layer for about BLOCK_SECONDS, at most MOST_CALLS times in a row."""


def measure(forms: Sequence[AttentionForm], *, threads: int) -> list[list[float]]:
    """Seconds of one micro-batch through each layer, by round. The order of the layers turns from round to round."""
    prepare_process(threads)
    blocks = [_block(form) for form in forms]
    seconds: list[list[float]] = [[] for _ in forms]
    began = time.perf_counter()
    for done in range(MOST_ROUNDS):
        if done >= FEWEST_ROUNDS and time.perf_counter() - began > FORM_SECONDS * len(forms):
            break
        for index in range(len(forms))[:: -1 if done % 2 else 1]:
            seconds[index].append(blocks[index]())
    return seconds


def _block(form: AttentionForm) -> Callable[[], float]:
    """A call that trains the layer some times and returns the seconds of one. Two times warm it up."""
    device = pick_device()
    precision = resolve(form.precision, device)
    block = build(form.model, seed=0, device=str(device)).blocks[0]
    assert isinstance(block, Block)
    layer = block.attention
    shape, seeds = (form.micro_batch, form.context, form.model.d_model), count()

    def seconds_of(number: int) -> float:
        generator = torch.Generator().manual_seed(stream_seed(0, "attention cost"))
        x_BTD, gradient_BTD = (torch.empty(shape).normal_(generator=generator).to(device) for _ in range(2))
        x_BTD.requires_grad_()
        _settle(device)
        began = time.perf_counter()
        for seed in (next(seeds) for _ in range(number)):
            with autocast(precision, device):
                y_BTD = layer(x_BTD, seed)
            y_BTD.backward(gradient_BTD.to(y_BTD.dtype))
            layer.zero_grad(set_to_none=True)
            x_BTD.grad = None
        _settle(device)
        return (time.perf_counter() - began) / number

    seconds_of(1)
    size = min(MOST_CALLS, math.ceil(BLOCK_SECONDS / seconds_of(1)))
    return lambda: seconds_of(size)


def _settle(device: torch.device) -> None:
    """Wait until the device has done all that was submitted."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


if __name__ == "__main__":
    forms = [AttentionForm.model_validate(row) for row in json.load(sys.stdin)]
    sys.stdout.write(json.dumps(measure(forms, threads=int(sys.argv[2]))))
