"""Heads whose attention is known score what they should."""

from typing import Any

import numpy as np
import pytest
import torch

from stacklab.interp.construct.compile import compiled
from stacklab.interp.construct.registry import blueprint
from stacklab.interp.construct.verify import draw
from stacklab.interp.head_scores import _copying, score_heads, summarise
from stacklab.interp.spec import HeadScore, Subject
from stacklab.model.init import build
from stacklab.model.spec import ModelSpec
from stacklab.tasks.group_word import GroupWord
from stacklab.tasks.in_context_template_matching import InContextTemplateMatching
from stacklab.tasks.k_hop import KHop
from stacklab.tasks.parity import Parity
from stacklab.tasks.protocol import periodic
from stacklab.tasks.question_answering import QuestionAnswering


def scores(name: str) -> dict[tuple[int, str], tuple[float, str]]:
    plan = blueprint(name)
    batch = draw(plan, 100, split=plan.exercise.splits[-1])
    subject = score_heads(compiled(plan), batch, plan.exercise.layout, seed=0)
    return {(one.layer, one.role): (one.value, one.where) for one in subject.scores}


OWN = [
    ("copying", 0, "copying", "slot 0, 1 back"),
    ("parsing", 0, "parsing", ""),
    ("question-answering", 0, "copying", "slot 0, 1 back"),
    ("question-answering", 1, "matching", ""),
    ("template-matching", 0, "parsing", ""),
    ("in-context-template-matching", 0, "parsing", ""),
    ("in-context-template-matching", 1, "gathering", "slot 3"),
    ("in-context-template-matching", 2, "matching", ""),
]


@pytest.mark.parametrize(("name", "layer", "role", "where"), OWN)
def test_constructed_heads_score_one_for_what_they_do(name: str, layer: int, role: Any, where: str) -> None:
    by_head = scores(name)
    assert by_head[layer, role] == (pytest.approx(1.0, abs=1e-4), where)
    others = [value for (other, same), (value, _) in by_head.items() if same == role and other != layer]
    assert all(value < 0.7 for value in others)


def small(task: Any, **change: Any) -> ModelSpec:
    return ModelSpec.model_validate(
        {
            "vocab_size": task.vocab_size,
            "context_length": task.length,
            "d_model": 8,
            "num_heads": 2,
            "num_layers": 1,
            "d_ff": 0,
        }
        | change
    )


def test_even_attention_scores_what_is_to_be_expected() -> None:
    task = QuestionAnswering(pairs=4)
    even = build(small(task, norm={"placement": "none"}, init={"std": 1e-6}), seed=0)
    subject = score_heads(even, task.draw(np.random.default_rng(0), 50), task.layout, seed=3)
    by_role = {one.role: one for one in subject.scores if one.head == 1}
    one_back = np.mean([1 / (t + 1) for t in (1, 3, 5, 7)])
    assert by_role["copying"].value == pytest.approx(one_back, abs=1e-5)
    assert by_role["copying"].where == "slot 1, 1 back"
    assert by_role["gathering"].value == pytest.approx(one_back, abs=1e-5)
    assert by_role["matching"].value == pytest.approx(1 / 9, abs=1e-5)
    assert subject.absent == {"parsing": "no symbol occurs twice in a group"}

    strings = InContextTemplateMatching(templates=("ABA", "AAB"), strings=2)
    even = build(small(strings, norm={"placement": "none"}, init={"std": 1e-6}), seed=0)
    batch = strings.draw(np.random.default_rng(0), 50)
    (parsing,) = {
        round(s.value, 4) for s in score_heads(even, batch, strings.layout, seed=0).scores if s.role == "parsing"
    }
    # Of the attention to other positions, 1 in t goes to the equal one before; AAB repeats at slot 1, ABA at slot 2.
    again_BT = np.array([[t % 4 > 0 and row[t] in row[t - t % 4 : t] for t in range(7)] for row in batch.tokens_BT])
    place_T = np.arange(7)
    expected = (again_BT / (place_T + 1)).sum() / (again_BT * place_T / (place_T + 1)).sum()
    assert parsing == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("task", [KHop(), Parity(), GroupWord()])
def test_of_one_group_an_offset_counts_over_all_positions_and_nothing_gathers(task: Any) -> None:
    """No single cell is a score: the second position of an untrained model looks one back with half its attention."""
    even = build(small(task, norm={"placement": "none"}, init={"std": 1e-6}), seed=0)
    subject = score_heads(even, task.draw(np.random.default_rng(0), 20), task.layout, seed=0)
    copying = next(one for one in subject.scores if one.role == "copying")
    assert copying.value == pytest.approx(np.mean([1 / (t + 1) for t in range(1, task.length)]), abs=1e-5)
    assert copying.where == "1 back"
    assert subject.absent["gathering"] == "the whole sequence is one group, so that all earlier positions belong to it"
    assert "gathering" not in {one.role for one in subject.scores}


def test_of_one_group_a_head_that_copies_everywhere_scores_one() -> None:
    layout, length = periodic(6, 6), 6
    a_HTT = torch.zeros(2, length, length, dtype=torch.double)
    a_HTT[0, range(2, length), range(length - 2)] = 1.0
    a_HTT[1, 3, 1] = 1.0
    values = _copying(a_HTT, layout)
    assert values is not None
    assert values[0].tolist() == [1.0, 0.25]
    assert values[1] == ["2 back", "2 back"]


def test_a_head_that_stays_where_it_is_does_not_parse() -> None:
    task = InContextTemplateMatching()
    spec = small(task, norm={"placement": "none"}, attention_scale="none", num_heads=1)
    model = build(spec, seed=0)
    with torch.no_grad():
        assert model.position_embedding is not None
        model.position_embedding.weight.zero_()  # type: ignore[union-attr, operator]
        model.position_embedding.weight[:, :5] = (
            2.0
            * (  # type: ignore[index, union-attr]
                (torch.arange(task.length)[:, None] >> torch.arange(5)) & 1
            ).float()
            - 1.0
        )
        model.token_embedding.weight.zero_()
        model.blocks[0].attention.query_key_value.weight.copy_(torch.eye(8).repeat(3, 1) * 40)  # type: ignore[union-attr]
    subject = score_heads(model, task.draw(np.random.default_rng(0), 20), task.layout, seed=0)
    assert {one.role: one.value for one in subject.scores}["parsing"] == 0


def test_seeds_are_averaged_over_the_best_head_of_each() -> None:
    def subject(seed: int, *values: float) -> Subject:
        where = f"slot 1, {seed} back"
        scored = (
            HeadScore(layer=0, head=head, role="copying", value=value, where=where) for head, value in enumerate(values)
        )
        return Subject(seed=seed, scores=tuple(scored), absent={})

    (row,) = summarise([subject(1, 0.2, 0.9), subject(2, 0.7, 0.1), subject(2, 0.5, 0.3)])
    assert row.best.kind == row.mean.kind == "estimate"
    assert row.best.value == pytest.approx(0.7)
    assert row.best.low == pytest.approx(0.7 - 4.303 * 0.2 / 3**0.5, abs=1e-3)
    assert row.mean.value == pytest.approx((0.55 + 0.4 + 0.4) / 3)
    assert row.where == "slot 1, 2 back (2 of 3); slot 1, 1 back (1 of 3)"
    (alone,) = summarise([subject(1, 0.5)])
    assert alone.best.kind == alone.mean.kind == "undefined", "one model has no interval"
    assert (alone.best_value, alone.mean_value) == (0.5, 0.5), "but a score"
    assert (row.best_value, row.mean_value) == (pytest.approx(row.best.value), pytest.approx(row.mean.value))
