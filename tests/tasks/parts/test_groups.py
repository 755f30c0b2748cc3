from collections import Counter

import numpy as np
import pytest

from stacklab.tasks.parts.groups import GroupName, elements, table

ORDERS: dict[GroupName, dict[int, int]] = {
    "S3": {1: 1, 2: 3, 3: 2},
    "Z6": {1: 1, 2: 1, 3: 2, 6: 2},
    "A5": {1: 1, 2: 15, 3: 20, 5: 24},
    "Z60": {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 2, 10: 4, 12: 4, 15: 8, 20: 8, 30: 8, 60: 16},
}
"""How many elements have which order: for groups of these sizes this tells which group it is."""


def order(group: GroupName, element: int) -> int:
    power, count = element, 1
    while power != 0:
        power, count = int(table(group)[power, element]), count + 1
    return count


@pytest.mark.parametrize("group", ORDERS)
def test_the_table_is_that_of_the_group(group: GroupName) -> None:
    product = table(group)
    numbers = np.arange(len(elements(group)))
    assert Counter(order(group, element) for element in numbers) == ORDERS[group]
    assert (np.sort(product, axis=0) == numbers[:, None]).all()
    assert (np.sort(product, axis=1) == numbers).all()
    assert (product[0] == numbers).all()
    np.testing.assert_array_equal(product[product], product[:, product])


def test_only_the_cyclic_groups_commute() -> None:
    assert {group for group in ORDERS if (table(group) == table(group).T).all()} == {"Z6", "Z60"}


def test_cyclic_elements_are_numbered_by_their_power() -> None:
    for group, size in (("Z6", 6), ("Z60", 60)):
        powers = np.arange(size)
        np.testing.assert_array_equal(table(group), (powers[:, None] + powers) % size)  # type: ignore[arg-type]
