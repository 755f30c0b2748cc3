import numpy as np

from stacklab.run.feeds.prefetch import STEPS, Prefetch
from stacklab.train.loop import Batch


def test_every_step_gets_its_own_batch_and_none_is_drawn_in_vain() -> None:
    drawn: list[int] = []

    def batch(step: int) -> Batch:
        drawn.append(step)
        return Batch(np.array([step]), np.array([step]), str(step))

    last = 2 * STEPS + 3
    batches = Prefetch(batch, last=last)
    assert [batches(step).hash for step in range(5, last)] == [str(step) for step in range(5, last)]
    assert drawn == list(range(5, last))
