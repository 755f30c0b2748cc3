"""Interleaved timing, in blocks that are long enough to be timed."""

import math
import time
from collections.abc import Callable, Sequence

import torch

TimedBlock = Callable[[], float]
"""Repeats one thing and returns the seconds of one repetition."""


def in_turn(blocks: Sequence[TimedBlock], *, fewest: int, most: int, seconds: float) -> list[list[float]]:
    """Seconds of each block, by round. Rounds are repeated until `seconds` have passed, at least `fewest`, at most
    `most`.

    Every round takes each block once, in an order that is reversed from round to round, so that a slow phase of the
    machine affects all of them.
    """
    times: list[list[float]] = [[] for _ in blocks]
    began = time.perf_counter()
    for done in range(most):
        if done >= fewest and time.perf_counter() - began >= seconds:
            break
        for index in range(len(blocks))[:: -1 if done % 2 else 1]:
            times[index].append(blocks[index]())
    return times


def sized(repeat: Callable[[int], float], *, seconds: float, most: int) -> TimedBlock:
    """A block of as many repetitions as take about `seconds`, at most `most`.

    repeat: makes a number of repetitions and returns the seconds of one. It is called twice here, which also warms
    caches and allocators.
    """
    repeat(1)
    count = min(most, math.ceil(seconds / repeat(1)))
    return lambda: repeat(count)


def synchronise(device: torch.device) -> None:
    """Wait until the device has done its work."""
    if device.type != "cpu":
        torch.get_device_module(device).synchronize()
