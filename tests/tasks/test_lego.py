import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.tasks.contract import check_task, stream

from stacklab.tasks.lego import Lego
from stacklab.tasks.parts.sampling import Order

ORDERS: list[Order] = ["forward", "shuffled"]


@settings(deadline=None)
@given(chains=st.integers(1, 3), clauses=st.integers(2, 4), spare=st.integers(0, 3), order=st.sampled_from(ORDERS))
def test_any_size(chains: int, clauses: int, spare: int, order: Order) -> None:
    check_task(Lego(symbols=chains * clauses + spare, chains=chains, clauses=clauses, order=order))


def deepest_by_product(chains: int) -> float:
    """How often the product of all signs is right where the last variable of a chain is asked."""
    task = Lego(chains=chains)
    batch = task.draw(stream(), 2000)
    minus_B = (batch.tokens_BT[:, :-1] == task.readout[1]).sum(axis=1)
    deepest_B = batch.slice_BT[:, -1] == task.clauses
    return float((task.readout[minus_B % 2] == batch.targets_BT[:, -1])[deepest_B].mean())


def test_a_second_chain_closes_the_way_around_following() -> None:
    assert deepest_by_product(1) == 1.0
    assert deepest_by_product(2) == pytest.approx(0.5, abs=0.08)


def test_the_slice_is_the_number_of_clauses_from_the_one() -> None:
    task = Lego()
    batch = task.draw(stream(), 200)
    for (*text, asked), depth in zip(batch.tokens_BT.tolist(), batch.slice_BT[:, -1].tolist(), strict=True):
        of = dict(zip(text[0::3], text[2::3], strict=True))
        steps, name = 0, asked
        while name in of:
            steps, name = steps + 1, of[name]
        assert steps == depth
        assert task.names[name] == "1"


def test_forward_names_a_variable_before_it_is_used() -> None:
    for text in Lego(order="forward").draw(stream(), 100).tokens_BT[:, :-1].tolist():
        names, of = text[0::3], text[2::3]
        assert all(used == 26 or used in names[:place] for place, used in enumerate(of))


def test_signs_are_even() -> None:
    batch = Lego().draw(stream(), 2000)
    assert np.mean(batch.targets_BT[:, -1] == 27) == pytest.approx(0.5, abs=0.05)


def test_too_few_symbols_are_refused() -> None:
    with pytest.raises(ValidationError, match="7 chains x 4 clauses = 28 different variables; symbols is 26"):
        Lego(chains=7)
