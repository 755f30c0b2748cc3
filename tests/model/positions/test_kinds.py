"""What a kind declares and what is built agree, and a kind that is declared nowhere is refused everywhere."""

from typing import Any, Literal

import pytest
import torch
from tests.model.positions.unknown import NowhereKnown, SaysItStacks
from tests.model.small import STACKABLE

from stacklab.base.errors import SpecError
from stacklab.model.init import build
from stacklab.model.positions.build import BUILDERS, Heads, position_rows, positions_in_attention
from stacklab.model.positions.kind import PositionKind
from stacklab.model.positions.kinds import KINDS
from stacklab.model.stacked.support import unsupported
from stacklab.model.stacked.transformer import POSITION_ROWS, StackedTransformer

SETTINGS: dict[str, dict[str, Any]] = {"factored": {"period": 3}}


def example(kind: type[PositionKind]) -> PositionKind:
    return kind(**SETTINGS.get(kind.model_fields["kind"].default, {}))


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_built_as_it_declares(kind: type[PositionKind]) -> None:
    position = example(kind)
    rows = position_rows(position, context_length=9, d_model=8)
    acting = positions_in_attention(position, Heads(num_heads=2, head_size=4, scale=0.5))
    assert ((rows is not None), (acting is not None)) == (kind.adds_rows, kind.acts_in_attention)
    trained = 0 if rows is None else sum(parameter.numel() for parameter in rows.parameters())
    assert trained == position.rows(9) * 8
    if acting is not None:
        q_BTHK, k_BTGK = acting(torch.ones(1, 9, 2, 4), torch.ones(1, 9, 1, 4), torch.arange(9))
        assert q_BTHK.shape[-1] == k_BTGK.shape[-1] == 4 + kind.extra_columns


def test_every_kind_has_a_builder_and_those_that_stack_are_known_to_stacks() -> None:
    assert set(BUILDERS) == set(KINDS)
    assert set(POSITION_ROWS) == {kind for kind in KINDS if kind.stacks}


def test_a_kind_without_a_builder_is_refused_at_once() -> None:
    spec = STACKABLE.model_copy(update={"position": NowhereKnown()})
    with pytest.raises(SpecError, match=r"model\.position\.kind = unheard-of: .* register a builder for NowhereKnown"):
        build(spec, seed=0)


def test_a_kind_whose_builder_contradicts_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BUILDERS, NowhereKnown, next(one for one in BUILDERS.values() if one.rows is not None))
    with pytest.raises(AssertionError, match=r"NowhereKnown\.adds_rows and its builder contradict each other"):
        build(STACKABLE.model_copy(update={"position": NowhereKnown()}), seed=0)


@pytest.mark.parametrize("position", [NowhereKnown(), SaysItStacks()], ids=["does not stack", "says that it stacks"])
def test_a_stack_of_models_refuses_a_kind_that_it_does_not_know(position: PositionKind) -> None:
    spec = STACKABLE.model_copy(update={"position": position})
    assert (unsupported(spec) is None) == position.stacks
    with pytest.raises(SpecError, match=r"^model\.position\.kind = unheard-of is not supported in a stack$"):
        StackedTransformer(spec)


def test_settings_that_cost_no_time_are_those_of_the_same_kind() -> None:
    class Sized(NowhereKnown):
        kind: Literal["unheard-of"] = "unheard-of"
        size: int = 1

    assert Sized(size=3).same_cost() == Sized(size=3), "a kind that says nothing counts every setting"
    for kind in KINDS:
        assert type(example(kind).same_cost()) is kind


def test_a_kind_without_settings_may_be_written_as_its_name() -> None:
    from pydantic import TypeAdapter

    from stacklab.model.positions.kinds import Position

    schema = TypeAdapter(Position).json_schema()
    (names,) = [one["enum"] for one in schema["anyOf"] if "enum" in one]
    assert names == ["learned", "sinusoidal", "none", "rotary"]
