"""The loss of a model that knows only how often each token occurs, which a model has to beat to have learned."""

import contextlib

import numpy as np
from numpy.typing import NDArray

from stacklab.base.errors import DataError, DiskError
from stacklab.base.files import read_json, write_json
from stacklab.data.prepared import PreparedData

FILE = "unigram.json"
"""Beside the prepared data. It is not in their manifest, so its presence does not count as damage."""
CHUNK = 2**22
"""Ids that are counted at a time."""


def unigram_loss(data: PreparedData) -> float:
    """Cross-entropy in nats per token of the tokens that validation predicts, under the frequencies of the training
    split with one added to every count (Laplace), so that a token that training lacks has a finite loss.

    It is computed once and kept in the data's folder, if that can be written to.
    """
    path = data.folder / FILE
    with contextlib.suppress(DataError, KeyError, TypeError, ValueError):
        return float(read_json(path)["validation_loss"])
    held_out = data.held_out("validation")
    predicted = held_out.stream[1 : held_out.num_blocks * held_out.block_size + 1]
    loss = cross_entropy(token_counts(data.train.stream, data.vocab_size), token_counts(predicted, data.vocab_size))
    with contextlib.suppress(DiskError):
        write_json(path, {"validation_loss": loss})
    return loss


def token_counts(ids: NDArray[np.integer], vocab_size: int) -> NDArray[np.int64]:
    """How often each id occurs in `ids` [tokens]: [vocab_size]."""
    counts = np.zeros(vocab_size, dtype=np.int64)
    for start in range(0, len(ids), CHUNK):
        counts += np.bincount(ids[start : start + CHUNK], minlength=vocab_size)
    return counts


def cross_entropy(known: NDArray[np.int64], predicted: NDArray[np.int64]) -> float:
    """Nats per predicted token under the frequencies of the known ones plus one; both are counts [vocab_size]."""
    surprisal = np.log(known.sum() + len(known)) - np.log(known + 1)
    return float((predicted * surprisal).sum() / predicted.sum())
