"""Batches drawn some steps in advance."""

from collections.abc import Callable

from stacklab.train.loop import Batch

STEPS = 8


class Prefetch:
    """`get_batch`, called for several steps in a row: small draws are twice as fast when their code and data are warm.

    last: the number of steps of the run, beyond which nothing is drawn.
    """

    def __init__(self, get_batch: Callable[[int], Batch], *, last: int) -> None:
        self._get_batch, self._last = get_batch, last
        self._drawn: dict[int, Batch] = {}

    def __call__(self, step: int) -> Batch:
        if step not in self._drawn:
            steps = range(step, min(step + STEPS, self._last))
            self._drawn = {number: self._get_batch(number) for number in steps}
        return self._drawn.pop(step)
