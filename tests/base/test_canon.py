import math
from pathlib import Path

import pytest

from stacklab.base.canon import canonical_json, fingerprint


def test_key_order_and_sequence_kind_do_not_matter() -> None:
    assert fingerprint({"a": (1, 2), "b": None}) == fingerprint({"b": None, "a": [1, 2]})


def test_whole_floats_and_integers_are_different() -> None:
    assert canonical_json(1.0) != canonical_json(1)


@pytest.mark.parametrize("value", [{"a": Path("x")}, [object()], {1: 2}, {"a": {2, 3}}, print])
def test_what_has_no_stable_identity_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        fingerprint(value)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_numbers_that_are_not_finite_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match=r"value\.a"):
        fingerprint({"a": value})
