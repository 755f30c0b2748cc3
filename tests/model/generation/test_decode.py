"""Cached decoding against the whole forward pass, and where generation stops."""

from typing import Any

import pytest
import torch
from tests.model.small import CAUSAL, SMALL

from stacklab.base.errors import SpecError
from stacklab.model.generation.decode import CachedForward, Continuation, generate, stream
from stacklab.model.generation.sampling_spec import SamplingSpec
from stacklab.model.init import build
from stacklab.model.spec import ModelSpec, MupSpec
from stacklab.model.transformer import Transformer

PROMPTS = [[3], [5, 6, 7, 8], [1, 2]]
DRAWN = SamplingSpec(temperature=1.0, top_k=20, top_p=0.9, seed=4)
SPECS: list[dict[str, Any]] = [
    *CAUSAL,
    {"num_layers": 0},
    {"parametrisation": MupSpec(base_d_model=2, base_num_layers=1)},
    {
        "num_heads": [1, 4, 2],
        "window": [None, 2, 4],
        "attention_scale": "none",
        "linear_bias": {"output": True, "feed_forward": True},
        "activation": "gelu_tanh",
    },
]


def model_of(**change: Any) -> Transformer:
    return build(ModelSpec.model_validate(SMALL | change), seed=0)


@pytest.mark.parametrize("change", SPECS, ids=str)
def test_cached_logits_are_those_of_the_whole_forward_pass_at_every_step(change: dict[str, Any]) -> None:
    """Prompts of unequal length padded into one batch, against each sequence alone without a cache."""
    model = model_of(**change).double()
    sequences = [list(prompt) for prompt in PROMPTS]
    with torch.inference_mode():
        forward = CachedForward(model, PROMPTS, steps=8)
        logits_BV = forward.begin()
        for step in range(9):
            for row, ids in enumerate(sequences):
                alone_V = model.logits(model(torch.tensor([ids])))[0, -1]
                torch.testing.assert_close(logits_BV[row], alone_V, rtol=1e-10, atol=1e-12)
                ids.append((7 * step + row) % 31)
            if step < 8:
                logits_BV = forward.append(torch.tensor([ids[-1] for ids in sequences]))


def test_a_continuation_does_not_depend_on_its_company() -> None:
    """Alone, in other batches and in another order; equal prompts have draws of their own."""
    model = model_of()
    alone = [generate(model, [prompt], max_tokens=8, sampling=DRAWN)[0] for prompt in PROMPTS]
    assert generate(model, PROMPTS, max_tokens=8, sampling=DRAWN) == alone
    assert generate(model, PROMPTS[::-1], max_tokens=8, sampling=DRAWN) == alone[::-1]
    first, again, other = generate(model, [PROMPTS[0], PROMPTS[0], PROMPTS[2]], max_tokens=8, sampling=DRAWN)
    assert (first, other) == (alone[0], alone[2]) and again != first
    assert generate(model, PROMPTS, max_tokens=8, sampling=DRAWN.model_copy(update={"seed": 5})) != alone


def test_each_sequence_says_why_it_stopped() -> None:
    model = model_of()
    free = generate(model, [[3]], max_tokens=12)[0]
    assert (len(free.ids), free.stop) == (12, "token count"), "the last one is read from a full context"
    assert generate(model, [[3]], max_tokens=13) == [Continuation(free.ids, "context full")]
    end = next(token for token in free.ids[1:] if token != free.ids[0])
    cut = Continuation(free.ids[: free.ids.index(end)], "end token")
    assert generate(model, [[3]], max_tokens=50, end_id=end) == [cut]
    full, shorter = generate(model, [[1] * 13, [3]], max_tokens=2)
    assert full == Continuation([], "context full")
    (last,) = generate(model, [[1] * 12], max_tokens=2)
    assert (len(last.ids), last.stop) == (1, "context full")
    assert shorter == Continuation(free.ids[:2], "token count")
    assert generate(model, [], max_tokens=2) == []


def test_tokens_come_before_the_end_is_known() -> None:
    model = model_of()
    calls: list[int] = []
    model.final_norm.register_forward_hook(lambda *_: calls.append(1))
    coming = stream(model, PROMPTS[:1], max_tokens=8)
    next(coming)
    assert len(calls) == 1
    assert len(list(coming)) == 7 and len(calls) == 8


def test_a_model_that_sees_the_future_is_not_generated_from() -> None:
    with pytest.raises(SpecError, match=r"model\.mask = full: text can only be generated with mask = causal"):
        generate(model_of(mask="full"), [[3]], max_tokens=2)
