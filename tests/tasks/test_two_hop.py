from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.tasks.contract import baselines_of, check_task, stream

from stacklab.tasks.parts.sampling import Order
from stacklab.tasks.two_hop import TwoHop

ORDERS: list[Order] = ["forward", "shuffled"]


@settings(deadline=None)
@given(chains=st.integers(2, 4), hops=st.integers(1, 4), spare=st.integers(0, 3), order=st.sampled_from(ORDERS))
def test_any_size(chains: int, hops: int, spare: int, order: Order) -> None:
    check_task(TwoHop(nodes=chains * (hops + 1) + spare, chains=chains, hops=hops, order=order))


@pytest.mark.parametrize("order", ORDERS)
def test_the_slice_counts_links_that_stand_too_early(order: Order) -> None:
    task = TwoHop(hops=3, order=order)
    batch = task.draw(stream(), 200)
    for (*links, node), backward in zip(batch.tokens_BT.tolist(), batch.slice_BT[:, -1].tolist(), strict=True):
        sources = links[0::2]
        walk = [node]
        while walk[-1] in sources:
            walk.append(links[2 * sources.index(walk[-1]) + 1])
        places = [sources.index(each) for each in walk[:-1]]
        assert len(places) == 3
        assert backward == sum(b < a for a, b in pairwise(places))


def test_nodes_are_used_once_in_a_sequence_and_all_over_the_batch() -> None:
    tokens_BT = TwoHop(nodes=9).draw(stream(), 200).tokens_BT
    for tokens in tokens_BT[:, :-1].tolist():
        sources, targets = tokens[0::2], tokens[1::2]
        assert len(set(sources)) == len(set(targets)) == 6
        assert len(set(tokens)) == 9
    assert np.unique(tokens_BT).size == 9


@pytest.mark.parametrize("chains", [2, 3, 5])
def test_the_baseline_is_one_of_the_chains_ends(chains: int) -> None:
    baselines = baselines_of(TwoHop(chains=chains), 1000)
    assert baselines["one of the ends"] == pytest.approx(1 / chains)


def test_too_few_nodes_are_refused() -> None:
    with pytest.raises(ValidationError, match="11 chains x 3 nodes = 33 different; nodes is 30"):
        TwoHop(chains=11)
