import math
from pathlib import Path

import pytest

from stacklab.base.canon import SUM, canonical_json, fingerprint, with_sum, without_sum


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


def test_a_value_with_its_checksum_reads_back_and_an_edited_one_is_refused() -> None:
    value = {"steps": 6, "rates": [0.1, 1e-300]}
    stored = with_sum(value)
    assert stored.keys() == {"steps", "rates", SUM} and without_sum(stored) == value
    for edited in (stored | {"steps": 7}, stored | {SUM: "0" * 16}, stored | {"more": 1}, stored | {SUM: None}):
        with pytest.raises(ValueError, match="does not have the checksum"):
            without_sum(edited)
    assert without_sum(value) == value and without_sum([1]) == [1], "as earlier versions stored them"
