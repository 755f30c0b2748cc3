"""Placements of norms: their rules do what their steps say."""

from inspect import signature
from typing import get_args

import pytest
from tests.model.small import STACKABLE

from stacklab.base.errors import SpecError
from stacklab.model.residual import PLACEMENTS, AnyResidual, Placement, PlacementName, RuleName, pre
from stacklab.model.spec import ModelSpec
from stacklab.model.stacked.support import unsupported
from stacklab.model.stacked.transformer import NORMS, StackedTransformer


@pytest.mark.parametrize("name", PLACEMENTS)
def test_a_rule_takes_the_steps_of_its_order(name: PlacementName) -> None:
    placement, steps = PLACEMENTS[name], list[str]()

    def step(name: str):  # type: ignore[no-untyped-def]
        return lambda value: steps.append(name) or value

    stream = object()

    def add(x: object, branch: object) -> object:
        steps.append("add")
        return x

    placement.rule(stream, step("branch"), add, *map(step, placement.norms))
    assert tuple(steps) == placement.order
    assert list(signature(placement.rule).parameters)[3:] == list(placement.norms)


def test_the_names_are_those_of_the_settings_and_of_stacks() -> None:
    assert set(get_args(PlacementName)) == set(PLACEMENTS)
    assert set(NORMS) == {name for name, placement in PLACEMENTS.items() if placement.stacks}


def test_the_names_of_residual_rules_are_those_of_their_kinds() -> None:
    kinds = [kind.model_fields["kind"].default for kind in get_args(AnyResidual)]
    assert list(get_args(RuleName)) == kinds
    assert [ModelSpec.model_validate({"residual": name, "norm": {"placement": "post"}}).residual.kind for name in kinds]


@pytest.mark.parametrize(
    ("change", "setting"),
    [
        *(({"norm": {"placement": name}}, f"norm.placement = {name}") for name in ("sandwich", "peri", "reordered")),
        *(({"qk_norm": name}, f"qk_norm = {name}") for name in ("head", "projection")),
        ({"residual": "depth_scaled"}, "residual.kind = depth_scaled"),
        ({"residual": "rezero"}, "residual.kind = rezero"),
        ({"residual": "deepnorm", "norm": {"placement": "post"}}, "residual.kind = deepnorm"),
    ],
)
def test_a_stack_refuses_other_norms_and_residual_rules_by_name(change: dict[str, object], setting: str) -> None:
    assert unsupported(ModelSpec.model_validate(STACKABLE.dump() | change)) == setting


def test_a_stack_refuses_a_placement_that_it_does_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PLACEMENTS, "unheard-of", Placement(pre, ("norm", "branch", "add")))  # type: ignore[arg-type]
    spec = STACKABLE.model_copy(update={"norm": STACKABLE.norm.model_copy(update={"placement": "unheard-of"})})
    assert unsupported(spec) == "norm.placement = unheard-of"
    with pytest.raises(SpecError, match=r"^model\.norm\.placement = unheard-of is not supported in a stack$"):
        StackedTransformer(spec)
