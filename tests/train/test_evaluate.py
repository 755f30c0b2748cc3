import math

import numpy as np
import pytest
import torch
from tests.train.trainers import MODEL

from stacklab.model.init import build
from stacklab.model.spec import InitSpec, ModelSpec
from stacklab.train.evaluate import Question, answer_accuracy, mean_loss, perplexity
from stacklab.train.step import Sequences

BLOCKS = np.arange(21 * 9).reshape(21, 9) * 5 % 29


def test_the_mean_loss_equals_a_float64_reference_over_uneven_batches() -> None:
    spec = ModelSpec(**MODEL | {"init": InitSpec(std=0.3)})
    model, slow = build(spec, seed=0), build(spec, seed=0).double()
    tokens = torch.from_numpy(BLOCKS)
    logits = slow.logits(slow(tokens[:, :-1]))
    wanted = torch.nn.functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten()).item()
    assert mean_loss(model, Sequences.of_blocks(BLOCKS), chunk_rows=7) == pytest.approx(wanted, rel=1e-6)


def test_accuracy_is_split_by_hops_and_counts_every_problem() -> None:
    model = build(ModelSpec(**MODEL), seed=0)
    questions = [
        Question([1, 2], hops, lambda ids, good=good: good) for hops, good in [(1, True), (1, False), (2, True)]
    ]
    shares = answer_accuracy(model, questions, end_id=0, max_tokens=2)
    assert shares == {"accuracy": pytest.approx(2 / 3), "accuracy.hops_1": 0.5, "accuracy.hops_2": 1.0}
    assert answer_accuracy(model, [], end_id=0, max_tokens=2) == {}


def test_the_judge_sees_what_the_model_says() -> None:
    model = build(ModelSpec(**MODEL), seed=0)
    seen: list[list[int]] = []
    answer_accuracy(model, [Question([1], 1, lambda ids: not seen.append(ids))], end_id=28, max_tokens=3)
    assert seen
    assert all(0 <= token < 28 for token in seen[0])


def test_a_loss_beyond_the_range_has_no_perplexity() -> None:
    assert perplexity(1.0) == math.e
    assert perplexity(709.0) == math.exp(709.0)
    assert perplexity(710.0) is None
