"""The training probe: blocks of the training split on which every arm and seed is measured alike."""

import numpy as np
from numpy.typing import NDArray

from stacklab.base.streams import numpy_stream
from stacklab.data.prepared import PreparedData

ROOT = 0  # not the run's seed: the probe belongs to the data


def probe_indices(prepared: PreparedData, *, count: int) -> NDArray[np.int64]:
    """`count` different blocks in rising order, or all when there are fewer; fixed by the data's fingerprint."""
    num_blocks = prepared.train.num_blocks
    order = numpy_stream(ROOT, "data", "probe", prepared.fingerprint).permutation(num_blocks)
    return np.sort(order[:count]).astype(np.int64)
