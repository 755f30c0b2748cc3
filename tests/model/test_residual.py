"""Placements of norms: their rules do what their steps say."""

from inspect import signature
from typing import get_args

import pytest
from tests.model.small import STACKABLE

from stacklab.base.errors import SpecError
from stacklab.model.residual import PLACEMENTS, Placement, PlacementName, pre
from stacklab.model.stacked.support import unsupported
from stacklab.model.stacked.transformer import NORMS, StackedTransformer


class Recorded:
    """A value that notes what is done with it."""

    def __init__(self, steps: list[str]) -> None:
        self.steps = steps

    def __add__(self, other: "Recorded") -> "Recorded":
        self.steps.append("add")
        return self


@pytest.mark.parametrize("name", PLACEMENTS)
def test_a_rule_takes_the_steps_of_its_order(name: PlacementName) -> None:
    placement, steps = PLACEMENTS[name], list[str]()

    def step(name: str):  # type: ignore[no-untyped-def]
        return lambda value: steps.append(name) or value

    placement.rule(Recorded(steps), step("branch"), *map(step, placement.norms))
    assert tuple(steps) == placement.order
    assert list(signature(placement.rule).parameters)[2:] == list(placement.norms)


def test_the_names_are_those_of_the_settings_and_of_stacks() -> None:
    assert set(get_args(PlacementName)) == set(PLACEMENTS)
    assert set(NORMS) == {name for name, placement in PLACEMENTS.items() if placement.stacks}


def test_a_stack_refuses_a_placement_that_it_does_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PLACEMENTS, "unheard-of", Placement(pre, ("norm", "branch", "add")))  # type: ignore[arg-type]
    spec = STACKABLE.model_copy(update={"norm": STACKABLE.norm.model_copy(update={"placement": "unheard-of"})})
    assert unsupported(spec) == "norm.placement = unheard-of"
    with pytest.raises(SpecError, match=r"^model\.norm\.placement = unheard-of is not supported in a stack$"):
        StackedTransformer(spec)
