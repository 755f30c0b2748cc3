"""Batches drawn some steps ahead."""

from collections.abc import Callable

from stacklab.train.loop import Batch

STEPS = 8


class Ahead:
    """`batch`, called for several steps in a row: small draws are twice as fast when their code and data are warm.

    last: the number of steps of the run, beyond which nothing is drawn.
    """

    def __init__(self, batch: Callable[[int], Batch], *, last: int) -> None:
        self._batch, self._last = batch, last
        self._drawn: dict[int, Batch] = {}

    def __call__(self, step: int) -> Batch:
        if step not in self._drawn:
            self._drawn = {number: self._batch(number) for number in range(step, min(step + STEPS, self._last))}
        return self._drawn.pop(step)
