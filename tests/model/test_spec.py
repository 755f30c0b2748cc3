from typing import Any

import pytest
from pydantic import ValidationError

from stacklab.model.spec import LayerSpec, ModelSpec


def test_scalars_are_spread_and_lists_are_taken_layer_by_layer() -> None:
    spec = ModelSpec(num_layers=2, d_model=16, num_heads=[2, 4], window=[None, 3], layer_drop=0.1)  # type: ignore[arg-type]
    assert spec.layers == (LayerSpec(2, 64, None, 0.1), LayerSpec(4, 64, 3, 0.1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_heads": 5}, r"num_heads = 5 \(layer 0\) does not divide d_model = 384"),
        ({"num_heads": [8, 8]}, "num_heads lists 2 values for num_layers = 12 layers"),
        ({"d_ff": [8]}, "d_ff lists 1 values"),
        ({"layer_drop": 1.0}, "layer_drop = 1.0"),
        ({"d_model": 8.5}, "d_model"),
        ({"n_layers": 3}, "n_layers"),
        ({"position": "sinusoidal", "d_model": 3, "num_heads": 1}, "even d_model"),
    ],
)
def test_what_cannot_be_built_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ModelSpec.model_validate(change)
