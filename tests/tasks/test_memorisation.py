import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.tasks.contract import baselines_of, check_task, stream

from stacklab.tasks.memorisation import Memorisation


@settings(deadline=None)
@given(keys=st.integers(2, 9), more=st.integers(0, 4), pairs=st.integers(1, 5), seed=st.integers(0, 99))
def test_any_size(keys: int, more: int, pairs: int, seed: int) -> None:
    check_task(Memorisation(keys=keys, values=keys + more, pairs=pairs, table_seed=seed))


def test_a_key_has_one_value_everywhere_and_no_two_the_same() -> None:
    task = Memorisation(keys=9, values=12, pairs=4)
    batches = [task.draw(stream(seed), 200) for seed in (1, 2)]
    keys = np.concatenate([batch.tokens_BT[:, ::2].ravel() for batch in batches])
    values = np.concatenate([batch.targets_BT[:, 1::2].ravel() for batch in batches])
    pairs = set(zip(keys.tolist(), values.tolist(), strict=True))
    assert len(pairs) == len(dict(pairs)) == len({value for _, value in pairs}) == 9


def test_the_baseline_is_one_of_the_values() -> None:
    assert baselines_of(Memorisation(keys=5, values=9), 500)["one of the values"] == 1 / 5


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValidationError, match="128 keys need 128 different values; values is 100"):
        Memorisation(values=100)
