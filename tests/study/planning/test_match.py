from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stacklab.base.errors import MatchError
from stacklab.model.count import QUANTITIES, Quantity, measure
from stacklab.model.spec import ModelSpec
from stacklab.study.planning.match import solve, unmatched
from stacklab.study.spec.study import MatchSpec

SOURCE: dict[str, Any] = {"vocab_size": 151_665, "d_model": 384, "context_length": 512}


def solved_value(quantity: Quantity, heads: int) -> int:
    deep, shallow = (ModelSpec(num_layers=n, num_heads=heads, **SOURCE) for n in (12, 1))
    target = measure(deep, quantity, context=512)
    return solve(MatchSpec(quantity=quantity, to="deep"), shallow, target, context=512).value


@pytest.mark.parametrize(
    ("quantity", "free", "by_eights"),
    [("total_parameters", 504, 504), ("flops_per_token", 529, 528), ("non_embedding_parameters", 1331, 1328)],
)
def test_one_layer_against_the_sources_twelve(quantity: Quantity, free: int, by_eights: int) -> None:
    """Not the "about 600" that the source's author guessed."""
    assert solved_value(quantity, heads=1) == free
    assert solved_value(quantity, heads=8) == by_eights


SHARING: dict[str, Any] = {"vocab_size": 50, "d_model": 24, "num_heads": 2, "num_layers": 6, "context_length": 16}


@pytest.mark.parametrize(
    ("quantity", "knob", "value"),
    [
        ("total_parameters", "model.num_layers", 2),
        ("non_embedding_parameters", "model.num_layers", 2),
        ("flops_per_token", "model.num_layers", 6),
        ("flops_per_token", "model.d_model", 24),
    ],
)
def test_controls_of_a_stack_that_shares_weights_store_or_compute_as_much(
    quantity: Quantity, knob: Any, value: int
) -> None:
    shared, alone = (ModelSpec.model_validate(SHARING | {"share": share}) for share in ({"cycle": 2}, None))
    best = solve(
        MatchSpec(quantity=quantity, to="x", knob=knob), alone, measure(shared, quantity, context=16), context=16
    )
    assert (best.value, best.residual) == (value, 0.0)


def test_the_depth_of_a_cycle_is_solved_in_whole_cycles() -> None:
    shared, alone = (ModelSpec.model_validate(SHARING | {"share": share}) for share in ({"cycle": 2}, None))
    match = MatchSpec(quantity="flops_per_token", to="x", knob="model.num_layers", multiple_of=2)
    best = solve(match, shared, measure(alone, "flops_per_token", context=16), context=16)
    assert (best.value, best.residual) == (6, 0.0)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(QUANTITIES),
    st.sampled_from(["model.d_model", "model.d_ff", "model.num_layers"]),
    st.integers(1, 4),
    st.integers(1, 12),
)
def test_no_other_value_of_the_knob_comes_nearer(quantity: Quantity, knob: Any, heads: int, layers: int) -> None:
    model = ModelSpec(vocab_size=50, d_model=24, num_layers=2, num_heads=heads, context_length=16)
    target = measure(ModelSpec(vocab_size=50, d_model=36, num_layers=layers, num_heads=1), quantity, context=16)
    try:
        best = solve(MatchSpec(quantity=quantity, to="x", knob=knob, tolerance=0.5), model, target, context=16)
    except MatchError:
        return
    field = knob.removeprefix("model.")
    step = heads if field == "d_model" else 1
    for value in (best.value - step, best.value + step):
        if value > 0:
            other = measure(ModelSpec.model_validate(model.dump() | {field: value}), quantity, context=16)
            assert abs(other - target) >= abs(measure(best.model, quantity, context=16) - target)


def test_the_width_keeps_what_rotary_positions_need() -> None:
    """Heads of an odd size would be refused in the midst of solving."""
    deep, shallow = (
        ModelSpec.model_validate(
            {"vocab_size": 50, "d_model": 36, "num_layers": n, "num_heads": 3, "position": "rotary"}
        )
        for n in (4, 1)
    )
    match = MatchSpec(quantity="total_parameters", to="deep", tolerance=0.2)
    solved = solve(match, shallow, measure(deep, "total_parameters", context=16), context=16)
    assert solved.value % 6 == 0


def test_no_solution_within_tolerance_names_the_nearest() -> None:
    model = ModelSpec(vocab_size=50, d_model=64, num_layers=1, num_heads=1)
    target = measure(model, "total_parameters", context=16) * 3 // 2
    match = MatchSpec(quantity="total_parameters", to="x", knob="model.d_model", multiple_of=64, tolerance=0.01)
    with pytest.raises(MatchError, match=r"multiples of 64 .* nearest: 64 \(-33\.33%\) and 128"):
        solve(match, model, target, context=16)


def test_the_conventions_disagree() -> None:
    deep, wide = ModelSpec(num_layers=12, **SOURCE), ModelSpec(num_layers=1, **SOURCE | {"d_model": 504})
    shares = unmatched(wide, deep, context=512)
    assert abs(shares["total_parameters"]) < 0.001
    assert shares["flops_per_token"] < -0.04
    assert shares["non_embedding_parameters"] < -0.8
