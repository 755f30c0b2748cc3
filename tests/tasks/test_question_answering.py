import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.tasks.contract import baselines_of, check_task, stream

from stacklab.tasks.question_answering import QuestionAnswering


@settings(deadline=None)
@given(pairs=st.integers(2, 6), questions=st.integers(6, 9), answers=st.integers(6, 9))
def test_any_size(pairs: int, questions: int, answers: int) -> None:
    check_task(QuestionAnswering(pairs=pairs, questions=questions, answers=answers))


def test_questions_and_answers_are_different_within_a_sequence() -> None:
    """Repeated answers would be worth guessing: the majority of the answers would beat 1/pairs."""
    task = QuestionAnswering(questions=8, answers=8, pairs=8)
    for *context, _ in task.draw(stream(), 200).tokens_BT.tolist():
        assert len(set(context)) == 16


@pytest.mark.parametrize("pairs", [2, 4, 8])
def test_the_baseline_is_one_of_the_pairs(pairs: int) -> None:
    baselines = baselines_of(QuestionAnswering(pairs=pairs), 4000)
    assert baselines["one of the answers present"] == 1 / pairs
    assert baselines["last answer"] == pytest.approx(1 / pairs, abs=0.03)
    assert baselines["most frequent"] == pytest.approx(1 / 16, abs=0.02)


def test_the_slice_is_how_far_back_the_answer_stands() -> None:
    batch = QuestionAnswering().draw(stream(), 400)
    place_B = np.argmax(batch.tokens_BT == batch.targets_BT[:, -1:], axis=1)
    np.testing.assert_array_equal(batch.slice_BT[:, -1], (17 - place_B) // 2)


@pytest.mark.parametrize(("field", "pool"), [("questions", 7), ("answers", 5)])
def test_more_pairs_than_symbols_is_refused(field: str, pool: int) -> None:
    with pytest.raises(ValidationError, match=f"8 pairs need 8 different {field}; {field} is {pool}"):
        QuestionAnswering.model_validate({"pairs": 8, field: pool})
