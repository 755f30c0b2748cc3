import copy
from typing import Any

import pytest
from pydantic import ValidationError
from tests.report.conftest import trended_tree

from stacklab.model.spec import ModelSpec
from stacklab.study.spec.study import StudySpec
from stacklab.study.spec.trend import quantity_of


def test_total_heads_are_of_all_layers() -> None:
    assert quantity_of(ModelSpec(d_model=96, num_layers=4, num_heads=(96, 48, 24, 12)), "total_heads") == 180
    assert quantity_of(ModelSpec(d_model=96, num_layers=4, num_heads=12), "total_heads") == 48


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reference": "odd"}, "there is no series 'odd'; the series are even, rising, falling"),
        ({"series": {"even": []}}, "the series 'even' has no arms"),
        ({"series": {"even": ["even-2"], "odd": ["even-2"]}}, "the arm 'even-2' is in the series twice"),
        ({"series": {"even": ["even-2", "absent"]}}, "trend.series.even names the arm 'absent'; the arms are even-2"),
        ({"metric": "happiness"}, "no run has the metric 'happiness'"),
        ({"at": 0}, "greater than 0"),
        ({"against": "d_model"}, "total_heads"),
        ({"reported": {"odd": 0.1}}, "reported: no gap is computed for the series 'odd'"),
        ({"reported": {"even": 0.1}}, "reported: no gap is computed for the series 'even'"),
    ],
)
def test_an_invalid_trend_is_refused(changes: dict[str, Any], message: str) -> None:
    tree = copy.deepcopy(trended_tree())
    StudySpec.model_validate(tree)
    tree["trend"] |= {"reported": {}} | changes
    with pytest.raises(ValidationError, match=message):
        StudySpec.model_validate(tree)
