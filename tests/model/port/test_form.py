"""Every form refuses what its lists do not hold."""

from typing import Any

import pytest
from tests.model.port.conftest import GPT2_STACK, GPT_NEO_STACK, LLAMA_STACK, OWN_STACKS, RELATIVES, stack
from tests.model.positions.unknown import NowhereKnown

from stacklab.base.errors import PortError
from stacklab.model.port.form import Form
from stacklab.model.port.gpt2 import GPT2
from stacklab.model.port.gpt_neo import GPT_NEO
from stacklab.model.port.llama import LLAMA
from stacklab.model.port.own import OWN
from stacklab.model.port.registry import FORMS, form_for, form_named
from stacklab.model.residual import PLACEMENTS
from stacklab.model.spec import ModelSpec

FITTING = [
    (GPT2, stack(GPT2_STACK)),
    (GPT_NEO, stack(GPT_NEO_STACK)),
    (LLAMA, stack(LLAMA_STACK)),
    (OWN, stack(OWN_STACKS["per-layer"])),
    *((form_named(name), stack(fields)) for name, fields in RELATIVES.items()),
]


class Grown(ModelSpec):
    """A stack of a later day, with a setting that no form has heard of."""

    score_cap: float | None = None


def test_every_form_is_tried() -> None:
    assert {form.name for form, _ in FITTING} == {form.name for form in FORMS}


@pytest.mark.parametrize(("form", "spec"), FITTING, ids=lambda value: value.name if isinstance(value, Form) else "")
@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("position", NowhereKnown()),
        ("norm.kind", "unheard-of"),
        ("norm.placement", "unheard-of"),
        ("mask", "unheard-of"),
        ("activation", "unheard-of"),
        ("feed_forward", "unheard-of"),
        ("attention_scale", "unheard-of"),
        ("parametrisation.kind", "unheard-of"),
        ("qk_norm", "unheard-of"),
        ("residual.kind", "unheard-of"),
    ],
)
def test_a_kind_that_is_not_listed_is_refused_by_name(
    form: Form, spec: ModelSpec, place: str, value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PLACEMENTS, "unheard-of", PLACEMENTS["pre"])  # type: ignore[arg-type]
    form.check(spec)
    field, _, inner = place.partition(".")
    changed = value if not inner else getattr(spec, field).model_copy(update={inner: value})
    with pytest.raises(PortError, match=rf"{field}.*unheard-of"):
        form.check(spec.model_copy(update={field: changed}))


@pytest.mark.parametrize(("form", "spec"), FITTING, ids=lambda value: value.name if isinstance(value, Form) else "")
def test_a_setting_that_no_form_knows_is_refused_unless_it_has_its_default(form: Form, spec: ModelSpec) -> None:
    form.check(Grown.model_validate(spec.dump()))
    with pytest.raises(PortError, match=r"score_cap is 3\.0"):
        form.check(Grown.model_validate(spec.dump() | {"score_cap": 3.0}))


@pytest.mark.parametrize(
    ("name", "changed", "message"),
    [
        ("qwen2", {"linear_bias": False}, "linear_bias.query_key_value is False, not True"),
        ("qwen2", {"linear_bias": True}, "linear_bias.output is True, not False"),
        ("qwen2", {"window": [4, 5]}, r"window differs by layer \(4, 5\)"),
        ("mistral", {"window": [None, 5]}, r"window differs by layer \(5, none\)"),
        ("mistral", {"linear_bias": {"feed_forward": True}}, "linear_bias.feed_forward is True, not False"),
        ("starcoder2", {"norm": {"kind": "rms"}}, "norm.kind is rms, not layer"),
        ("stablelm", {"window": 5}, "window is 5, not none"),
        ("openai-gpt", {"d_ff": 20}, "d_ff is 20, not 48"),
        ("openai-gpt", {"norm": {"placement": "pre"}}, "norm.placement is pre with final norm True"),
        ("openai-gpt", {"norm": {"placement": "post", "final": True}}, "norm.placement is post with final norm True"),
        ("openai-gpt", {"activation": "gelu"}, "activation is gelu, not gelu_tanh or relu or silu"),
        ("gpt-bigcode", {"num_kv_heads": None}, r"num_kv_heads is \[3, 3\], not \[1, 1\]"),
        ("opt", {"norm": {"epsilon": 1e-6}}, "norm.epsilon is 1e-06, not 1e-05"),
    ],
)
def test_what_a_relative_cannot_say_is_refused(name: str, changed: dict[str, Any], message: str) -> None:
    with pytest.raises(PortError, match=message):
        form_named(name).check(stack(RELATIVES[name], **changed))


@pytest.mark.parametrize(
    ("name", "form"),
    [(name, name) for name in RELATIVES if name not in ("phi3", "opt")] + [("phi3", "mistral"), ("opt", "gpt2")],
)
def test_a_stack_leaves_under_the_nearest_name(name: str, form: str) -> None:
    assert form_for(stack(RELATIVES[name])).name == form


@pytest.mark.parametrize("form", FORMS[:-1], ids=lambda form: form.name)
def test_a_key_that_is_absent_has_the_programs_own_default(form: Form) -> None:
    transformers = pytest.importorskip("transformers", reason="the extra `hf` is not installed")
    # StableLM turns a quarter of each head unless its config says otherwise, which no stack does.
    config = {"partial_rotary_factor": 1.0} if form.name == "stablelm" else {}
    stated = transformers.AutoConfig.for_model(form.model_type, **config).to_dict()
    if form.name == "gpt-neo":
        stated["attention_types"] = form.write(form.read({}))["attention_types"]
    assert form.read(config) == form.read(stated)
