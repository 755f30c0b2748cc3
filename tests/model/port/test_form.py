"""Every form refuses what its lists do not hold."""

import pytest
from tests.model.port.conftest import GPT2_STACK, GPT_NEO_STACK, LLAMA_STACK, OWN_STACKS, stack
from tests.model.positions.unknown import NowhereKnown

from stacklab.base.errors import PortError
from stacklab.model.port.form import Form
from stacklab.model.port.gpt2 import GPT2
from stacklab.model.port.gpt_neo import GPT_NEO
from stacklab.model.port.llama import LLAMA
from stacklab.model.port.own import OWN
from stacklab.model.port.registry import FORMS
from stacklab.model.residual import PLACEMENTS
from stacklab.model.spec import ModelSpec

FITTING = [
    (GPT2, stack(GPT2_STACK)),
    (GPT_NEO, stack(GPT_NEO_STACK)),
    (LLAMA, stack(LLAMA_STACK)),
    (OWN, stack(OWN_STACKS["per-layer"])),
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
