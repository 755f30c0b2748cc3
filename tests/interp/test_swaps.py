"""One layer of attention under exchanges: exact identities on random weights, which a second layer breaks."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stacklab.base.streams import numpy_stream
from stacklab.interp.construct.compile import compiled
from stacklab.interp.construct.registry import blueprint
from stacklab.interp.swaps import Quad, head_sums, mixed_difference, question_quad, symbol_quad
from stacklab.model.init import build
from stacklab.model.spec import ModelSpec
from stacklab.model.transformer import Transformer
from stacklab.tasks.question_answering import QuestionAnswering
from stacklab.tasks.template_matching import TemplateMatching


def random_model(vocab: int, length: int, seed: int, **change: Any) -> Transformer:
    spec = {
        "vocab_size": vocab,
        "d_model": 24,
        "num_layers": 1,
        "num_heads": 1,
        "d_ff": 0,
        "context_length": length,
        "norm": {"placement": "none"},
        "tie_embeddings": False,
        "init": {"std": 0.4, "token_std": 1.0, "position_std": 1.0},
    }
    return build(ModelSpec.model_validate(spec | change), seed=seed).double()


def question_quads(task: QuestionAnswering, seed: int, count: int) -> list[Quad]:
    tokens_BT = task.draw(numpy_stream(seed, "swaps"), count).tokens_BT
    quads = []
    for tokens_T in tokens_BT:
        queried = int(np.flatnonzero(tokens_T[:-1:2] == tokens_T[-1])[0])
        quads.append(question_quad(tokens_T, (queried + 1) % task.pairs))
    return quads


def template_quads(task: TemplateMatching, seed: int, count: int) -> list[Quad]:
    """AABB against ABCC: the first two places."""
    rng, (aabb, abcc) = numpy_stream(seed, "swaps"), task.readout[[0, 5]]
    quads = []
    for _ in range(count):
        u, v, w = rng.choice(task.train_symbols, 3, replace=False)
        string = np.array([u, u, w, w, task.train_symbols + task.unseen_symbols])
        quads.append(symbol_quad(string, (0, 1), int(v), a=int(aabb), b=int(abcc)))
    return quads


def check_oracle(task: Any, quad: Quad) -> None:
    assert task.oracle(quad.tokens_4T)[:, -1].tolist() == [quad.a, quad.b, quad.b, quad.a]


def right(model: Transformer, quad: Quad) -> int:
    logits_4V = head_logits(model, torch.from_numpy(quad.tokens_4T))
    return int((logits_4V.argmax(1) == torch.tensor([quad.a, quad.b, quad.b, quad.a])).sum())


def head_logits(model: Transformer, ids_BT: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return model.logits(model(ids_BT)[:, -1])


SHAPES = {
    "heads": st.sampled_from([1, 2, 3, 4, 8]),
    "seed": st.integers(0, 10**6),
    "change": st.sampled_from(
        [
            {},
            {"mask": "full"},
            {"norm": {"placement": "pre", "final": False}},
            {"attention_identity": 0.3},
            {"linear_bias": {"query_key_value": True}, "position": {"kind": "factored", "period": 2}},
            {"norm": {"kind": "rms", "final": False}, "position": "rotary", "d_model": 48, "num_kv_heads": 1},
        ]
    ),
}


@settings(max_examples=40, deadline=None)
@given(pairs=st.integers(2, 6), **SHAPES)
def test_the_sums_of_one_layer_obey_the_identity_and_make_its_logits(
    pairs: int, heads: int, seed: int, change: dict[str, Any]
) -> None:
    task = QuestionAnswering(questions=7, answers=6, pairs=pairs)
    model = random_model(task.vocab_size, task.length, seed, num_heads=heads, **change)
    for quad in question_quads(task, seed, 3):
        check_oracle(task, quad)
        ids_4T = torch.from_numpy(quad.tokens_4T)
        sums = head_sums(model, ids_4T)
        share_4HV = sums.n_BHV / sums.z_BH[..., None]
        torch.testing.assert_close(sums.skip_BV + share_4HV.sum(1), head_logits(model, ids_4T))
        for part in (sums.n_BHV, sums.z_BH):
            assert mixed_difference(part).abs().max() < 1e-12 * part.abs().max()
        weighed = sums.z_BH[..., None] * (share_4HV + sums.skip_BV[:, None])
        assert mixed_difference(weighed).abs().max() < 1e-12 * weighed.abs().max()


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), d_model=st.sampled_from([2, 16, 64]))
def test_one_head_in_one_layer_is_never_right_on_all_four(seed: int, d_model: int) -> None:
    answering, matched = QuestionAnswering(questions=5, answers=4, pairs=2), TemplateMatching()
    for task, quads in ((answering, question_quads(answering, seed, 8)), (matched, template_quads(matched, seed, 8))):
        model = random_model(task.vocab_size, task.length, seed, d_model=d_model)
        for quad in quads:
            check_oracle(task, quad)
            assert right(model, quad) <= 3


def fitted(model: Transformer, quad: Quad) -> Transformer:
    """Trained on the four sequences alone, as hard as it goes."""
    ids_4T, answer_4 = torch.from_numpy(quad.tokens_4T), torch.tensor([quad.a, quad.b, quad.b, quad.a])
    optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
    for _ in range(80):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model.logits(model(ids_4T)[:, -1]), answer_4).backward()
        optimizer.step()
    return model


@pytest.mark.parametrize("seed", range(3))
def test_nor_does_training_on_these_four_alone_bring_it_there_while_it_does_with_four_heads(seed: int) -> None:
    task = QuestionAnswering(questions=5, answers=4, pairs=2)
    (quad,) = question_quads(task, seed, 1)
    mild = {"std": 0.2, "token_std": 1.0, "position_std": 1.0}
    one, four = (
        fitted(random_model(task.vocab_size, task.length, seed, num_heads=heads, init=mild), quad) for heads in (1, 4)
    )
    assert right(one, quad) <= 3
    assert right(four, quad) == 4


def test_several_heads_of_one_layer_can_be_right_on_all_four() -> None:
    task = TemplateMatching()
    many = compiled(blueprint("template-matching-one-layer"), dtype=torch.float64)
    assert all(right(many, quad) == 4 for quad in template_quads(task, 0, 50))


@pytest.mark.parametrize("seed", range(5))
def test_a_second_layer_breaks_the_identity(seed: int) -> None:
    task = QuestionAnswering(questions=7, answers=6, pairs=3)
    model = random_model(task.vocab_size, task.length, seed, num_layers=2)
    (quad,) = question_quads(task, seed, 1)
    sums = head_sums(model, torch.from_numpy(quad.tokens_4T))
    assert mixed_difference(sums.z_BH).abs().max() > 1e-6 * sums.z_BH.abs().max()
    assert mixed_difference(sums.n_BHV).abs().max() > 1e-6 * sums.n_BHV.abs().max()


def test_two_constructed_layers_are_right_on_all_four() -> None:
    task = QuestionAnswering()
    model = compiled(blueprint("question-answering"), dtype=torch.float64)
    assert all(right(model, quad) == 4 for quad in question_quads(task, 1, 50))
    with pytest.raises(ValueError, match="pair 0 is the queried pair"):
        question_quad(np.array([3, 40, 5, 41, 3]), 0)
