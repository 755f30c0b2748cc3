"""Finite groups as permutations, with exact multiplication tables."""

import functools
from itertools import permutations
from typing import Literal

import numpy as np

from stacklab.tasks.batch import Ids

GroupName = Literal["S3", "Z6", "A5", "Z60"]
Permutation = tuple[int, ...]


def then(first: Permutation, second: Permutation) -> Permutation:
    """The composition of `first` and then `second`.

    >>> then((1, 0, 2), (0, 2, 1))
    (2, 0, 1)
    """
    return tuple(second[point] for point in first)


@functools.cache
def elements(group: GroupName) -> tuple[Permutation, ...]:
    """All elements, the identity first: S3 and A5 in lexicographic order, Z6 and Z60 as powers of one element."""
    match group:
        case "S3":
            return tuple(permutations(range(3)))
        case "A5":
            return tuple(each for each in permutations(range(5)) if _is_even(each))
        case "Z6":
            return _powers((1, 0, 3, 4, 2))
        case "Z60":
            return _powers((1, 2, 0, 4, 5, 6, 3, 8, 9, 10, 11, 7))


def _is_even(each: Permutation) -> bool:
    return sum(each[i] > each[j] for j in range(len(each)) for i in range(j)) % 2 == 0


def _powers(generator: Permutation) -> tuple[Permutation, ...]:
    powers = [tuple(range(len(generator)))]
    while (following := then(powers[-1], generator)) != powers[0]:
        powers.append(following)
    return tuple(powers)


@functools.cache
def table(group: GroupName) -> Ids:
    """[G, G] the number of the product: row first, then column. Read-only, since it is shared."""
    known = {each: number for number, each in enumerate(elements(group))}
    products = np.array([[known[then(a, b)] for b in elements(group)] for a in elements(group)], dtype=np.int64)
    products.flags.writeable = False
    return products
