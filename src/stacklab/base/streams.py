"""Named random streams.

A stream is addressed by (seed, name, name, ...). Streams with different addresses share nothing, neighbouring seeds
included, because the address is hashed before it becomes a seed. No address holds a model's shape, so two arms with
the same seed see the same batches.
"""

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

Name = str | int


def stream_seed(seed: int, *names: Name) -> int:
    """A 63-bit seed for the stream `names` under the root `seed`.

    >>> stream_seed(0, "data", "order", 1) != stream_seed(1, "data", "order", 0)
    True
    """
    digest = hashlib.blake2b(digest_size=8, person=b"stacklab")
    for part in (seed, *names):
        kind = "i" if isinstance(part, int) else "s"
        digest.update(f"{kind}{len(str(part))}:{part}".encode())
    return int.from_bytes(digest.digest(), "little") >> 1


def numpy_stream(seed: int, *names: Name) -> "np.random.Generator":
    """A fresh numpy generator at the start of the stream."""
    import numpy as np

    return np.random.Generator(np.random.PCG64(stream_seed(seed, *names)))
