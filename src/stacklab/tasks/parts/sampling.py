"""Draws for a whole batch at once."""

from typing import Literal

import numpy as np

from stacklab.tasks.batch import Ids

Order = Literal["forward", "shuffled"]


def distinct(rng: np.random.Generator, size: int, *, count: int, pool: int) -> Ids:
    """[size, count] whole numbers below `pool`, all different within a row, every ordered choice equally likely.

    The first `count` rounds of Fisher and Yates' shuffle, for all rows at once.
    """
    # The rows' decks are stored place by place, so that each place is contiguous: this runs at every training step.
    deck_PB = np.repeat(np.arange(pool, dtype=np.int64), size)
    others_PB = rng.integers(np.arange(count)[:, None], pool, size=(count, size)) * size + np.arange(size)
    for place, other in enumerate(others_PB):
        picked = deck_PB.take(other)
        here = deck_PB[place * size : (place + 1) * size]
        deck_PB[other] = here
        here[:] = picked
    return np.ascontiguousarray(deck_PB[: count * size].reshape(count, size).T)


def interleaved(rng: np.random.Generator, size: int, *, chains: int, links: int, order: Order) -> Ids:
    """[size, chains * links] an order in which to write the links; link l of chain c is number c * links + l.

    `shuffled`: any order. `forward`: any order that keeps the links of each chain in order.
    """
    when_BCL = rng.random((size, chains, links))
    if order == "forward":
        when_BCL.sort(axis=2)
    return np.argsort(when_BCL.reshape(size, chains * links), axis=1).astype(np.int64)


def previous_place(codes_BN: Ids) -> Ids:
    """[B, N] the last place before with the same code in the row, -1 where there is none.

    >>> previous_place(np.array([[5, 2, 5, 5, 2]])).tolist()
    [[-1, -1, 0, 2, 1]]
    """
    order_BN = np.argsort(codes_BN, axis=1, kind="stable")
    sorted_BN = np.take_along_axis(codes_BN, order_BN, axis=1)
    before_BN = np.full_like(order_BN, -1)
    before_BN[:, 1:] = np.where(sorted_BN[:, 1:] == sorted_BN[:, :-1], order_BN[:, :-1], -1)
    previous_BN = np.empty_like(order_BN)
    np.put_along_axis(previous_BN, order_BN, before_BN, axis=1)
    return previous_BN


def pick(values_BN: Ids, index_B: Ids) -> Ids:
    """values_BN[b, index_B[b]] for each row."""
    return np.take_along_axis(values_BN, index_B[:, None], axis=1)[:, 0]
