import pytest

from stacklab.base.errors import SpecError
from stacklab.train.schedule import solved, solved_at
from stacklab.train.spec import StopSpec

RULE = StopSpec(metric="validation.accuracy", at_least=0.9, evaluations=2)


def history(*values: float) -> list[dict[str, float]]:
    return [{"step": 10 * index, "validation.accuracy": value} for index, value in enumerate(values)]


def test_solved_is_so_many_evaluations_in_a_row_up_to_the_last() -> None:
    assert not solved(None, history(1.0, 1.0))
    assert not solved(RULE, [])
    assert not solved(RULE, history(0.1, 0.95))
    assert not solved(RULE, history(0.95, 0.95, 0.1))
    assert not solved(RULE, history(0.95, 0.1, 0.95))
    assert solved(RULE, history(0.1, 0.9, 0.95))


def test_the_step_to_solve_is_the_first_of_the_row() -> None:
    assert solved_at(RULE, history(0.95, 0.1, 0.9, 0.95, 1.0)) == 20
    assert solved_at(RULE, history(0.95, 0.1, 0.95)) is None


def test_a_metric_that_is_not_measured_is_refused_with_those_that_are() -> None:
    with pytest.raises(SpecError, match=r"'validation.accuracy' is not measured; there are step, validation.loss"):
        solved(RULE, [{"step": 0, "validation.loss": 1.0}])
