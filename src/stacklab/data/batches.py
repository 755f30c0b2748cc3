"""Which blocks a step trains on and which the training probe holds: functions of nothing that a model may change."""

import functools
import hashlib

import numpy as np
from numpy.typing import NDArray

from stacklab.base.streams import numpy_stream
from stacklab.data.prepared import PreparedData


def batch_indices(seed: int, step: int, *, batch_size: int, num_blocks: int) -> NDArray[np.int64]:
    """Block indices [batch_size] of step 0, 1, 2, ...

    Every epoch is a permutation of all blocks; the epochs one after another are cut into batches, so a batch may
    span epochs and no block is ever left out.
    """
    positions = np.arange(step * batch_size, (step + 1) * batch_size)
    epochs, places = np.divmod(positions, num_blocks)
    return np.array(
        [epoch_order(seed, int(epoch), num_blocks)[place] for epoch, place in zip(epochs, places, strict=True)],
        dtype=np.int64,
    )


@functools.lru_cache(maxsize=16)  # several seeds may train side by side
def epoch_order(seed: int, epoch: int, num_blocks: int) -> NDArray[np.int64]:
    """The order [num_blocks] in which an epoch visits the blocks; read-only, since it is shared."""
    order = numpy_stream(seed, "data", "order", epoch).permutation(num_blocks).astype(np.int64)
    order.flags.writeable = False
    return order


def window_indices(seed: int, step: int, *, batch_size: int, num_blocks: int) -> NDArray[np.int64]:
    """Block indices [batch_size] of step 0, 1, 2, ...: each uniform over all blocks, with repetitions.

    With blocks that begin at every id of the stream this is nanoGPT's get_batch. A step has a random stream of its own,
    so that a resumed run draws what it would have drawn.
    """
    return numpy_stream(seed, "data", "windows", step).integers(num_blocks, size=batch_size)


def batch_hash(tokens: np.ndarray) -> str:
    """16 hex digits of the tokens' values, whatever their integer type."""
    plain = np.ascontiguousarray(tokens, dtype="<i8")
    return hashlib.sha256(plain.tobytes()).hexdigest()[:16]


ROOT = 0  # not the run's seed: the probe belongs to the data


def probe_indices(prepared: PreparedData, *, count: int) -> NDArray[np.int64]:
    """`count` different blocks in rising order, or all when there are fewer; fixed by the data's fingerprint."""
    num_blocks = prepared.train.num_blocks
    order = numpy_stream(ROOT, "data", "probe", prepared.fingerprint).permutation(num_blocks)
    return np.sort(order[:count]).astype(np.int64)
