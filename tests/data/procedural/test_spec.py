"""The spec of a procedural corpus refuses what it cannot make."""

from typing import Any

import pytest
from pydantic import ValidationError

from stacklab.data.procedural.corpus import FAMILIES
from stacklab.data.procedural.spec import FAMILY_NAMES, ProceduralSpec


def test_defaults_and_round_trip() -> None:
    spec = ProceduralSpec()
    assert spec.families == FAMILY_NAMES == tuple(FAMILIES)
    assert spec.hops == (1, 2, 3, 4)
    changed = ProceduralSpec.model_validate({"records": 7, "families": ["state", "kinship"], "hops": [8, 1]})
    assert ProceduralSpec.model_validate(changed.dump()) == changed
    assert changed.fingerprint != spec.fingerprint


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("records", 0),
        ("records", 2.5),
        ("families", []),
        ("families", ["arithmetic", "arithmetic"]),
        ("families", ["geometry"]),
        ("hops", []),
        ("hops", [0]),
        ("hops", [9]),
        ("hops", [1, 2, 1]),
        ("hops", [True]),
        ("hops", 3),
        ("corpus_seed", "0"),
        ("seed", 0),
        ("kind", "procedural"),
    ],
)
def test_bad_values_are_refused(field: str, value: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        ProceduralSpec.model_validate({field: value})
    assert caught.value.errors()[0]["loc"][0] == field
