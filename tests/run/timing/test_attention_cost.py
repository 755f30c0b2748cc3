"""Attention layers measured alone: which are the same, and that they are really measured."""

import pytest

from stacklab.model.init import build
from stacklab.model.spec import ModelSpec
from stacklab.run.environment import prepare_process
from stacklab.run.timing import attention_cost
from stacklab.run.timing.attention_form import AttentionForm, attention_forms


def forms(**changes: object) -> tuple[AttentionForm, ...]:
    model = ModelSpec.model_validate({"d_model": 48, "num_layers": 2, "num_heads": [4, 8], "vocab_size": 9} | changes)
    return attention_forms(model, micro_batch=2, context=32, precision="auto", device="auto")


def test_a_form_is_what_the_time_of_a_layer_depends_on() -> None:
    four, eight = forms()
    assert four != eight
    assert forms(num_heads=4) == (four, four)
    assert forms(norm={"kind": "rms"}) == (four, eight)
    assert forms(norm={"kind": "rms"}, qk_norm="head") != forms(qk_norm="head")
    assert forms(d_ff=7, dropout=0.5, layer_drop=0.5, vocab_size=99, context_length=99) == (four, eight)
    for change in (
        {"window": 5},
        {"attention_dropout": 0.0},
        {"attention_scale": "none"},
        {"attention_identity": 1.0},
        {"mask": "full"},
        {"d_model": 96},
        {"linear_bias": True},
        {"num_kv_heads": 2},
        {"qk_norm": "head"},
        {"position": "rotary"},
    ):
        assert not {four, eight} & set(forms(**change)), change
    for position in ("sinusoidal", "none", {"kind": "factored", "period": 8}):
        assert forms(position=position) == (four, eight)
    assert forms(position="rotary") == forms(position={"kind": "rotary", "base": 500.0})


def test_the_layer_that_is_measured_is_the_models() -> None:
    """Its heads of keys and values, and its turning of positions, which come from the form alone."""
    form, _ = forms(num_kv_heads=[2, 8], position="rotary")
    layer = build(form.model, seed=0).blocks[0].attention
    assert layer.query_key_value.weight.shape == (48 + 2 * 2 * 12, 48)
    assert layer.positions is not None


@pytest.mark.trains
def test_more_heads_take_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """At one width, forty-eight heads against one: the scores make up most of it, so other work cannot hide it."""
    monkeypatch.setattr(attention_cost, "FORM_SECONDS", 0.1)
    model = ModelSpec(vocab_size=9, d_model=48, num_layers=3, num_heads=(1, 48, 48), window=(None, None, 8))
    forms_of_three = attention_forms(model, micro_batch=1, context=256, precision="fp32", device="cpu")
    prepare_process(1)
    few, many, near = attention_cost.measure(forms_of_three)
    assert attention_cost.FEWEST_ROUNDS <= len(few) == len(many) == len(near) <= attention_cost.MOST_ROUNDS
    assert min(many) > 2 * min(few)
    assert min(near) > 0
