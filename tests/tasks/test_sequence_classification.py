import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.tasks.contract import check_task, stream

from stacklab.tasks.sequence_classification import SequenceClassification


@settings(deadline=None)
@given(symbols=st.integers(2, 4), length=st.integers(2, 5), classes=st.integers(2, 4), data=st.data())
def test_any_size(symbols: int, length: int, classes: int, data: st.DataObject) -> None:
    sequences = data.draw(st.integers(2, symbols**length))
    check_task(SequenceClassification(symbols=symbols, sequence_length=length, classes=classes, sequences=sequences))


def test_a_round_is_every_sequence_once() -> None:
    task = SequenceClassification(sequences=100)
    rows = [tuple(row) for row in task.draw(stream(), 250).tokens_BT.tolist()]
    assert len(set(rows)) == 100
    assert sorted(rows.count(row) for row in set(rows)) == [2] * 50 + [3] * 50
    assert len(set(rows[:100])) == 100


def test_the_table_is_the_specs_not_the_streams() -> None:
    def rows(table_seed: int, seed: int) -> set[tuple[int, ...]]:
        task = SequenceClassification(table_seed=table_seed)
        return set(map(tuple, task.draw(stream(seed), 512).tokens_BT.tolist()))

    assert rows(0, 1) == rows(0, 2)
    assert not rows(0, 1) & rows(1, 1)


def test_classes_are_drawn_evenly() -> None:
    batch = SequenceClassification(sequences=5000).draw(stream(), 5000)
    counts = np.unique(batch.targets_BT[:, -1], return_counts=True)[1]
    assert counts.size == 10
    assert abs(counts - 500).max() < 6 * 500**0.5


def test_more_sequences_than_there_are_is_refused() -> None:
    with pytest.raises(ValidationError, match="2 symbols make 2\\^3 = 8 sequences of length 3; sequences is 9"):
        SequenceClassification(symbols=2, sequence_length=3, sequences=9)
