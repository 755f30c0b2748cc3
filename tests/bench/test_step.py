import pytest
import torch

from stacklab.bench import contestants
from stacklab.bench.spec import StepSpec
from stacklab.bench.step import render, summarise
from stacklab.model.count import count_parameters, flops_per_token
from stacklab.model.init import build
from stacklab.model.spec import ModelSpec

SMALL = StepSpec(layers=2, batch=1, context=16, threads=1)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> StepSpec:
    """The benchmark's shapes with a small vocabulary."""
    model = SMALL.model.model_copy(update={"vocab_size": 64})
    monkeypatch.setattr(StepSpec, "model", property(lambda spec: model))
    monkeypatch.setattr(StepSpec, "train", property(lambda spec: TRAIN))
    return SMALL


TRAIN = SMALL.train.model_copy(update={"loss_chunk_rows": 8})


def test_both_contestants_train_models_of_equal_size(small: StepSpec) -> None:
    """The peer has biases in its linear maps; nothing else differs."""
    transformers = pytest.importorskip("transformers.models.gpt2")
    counts: list[int] = []
    original = transformers.GPT2LMHeadModel.__init__

    def counting(self: torch.nn.Module, config: object) -> None:
        original(self, config)
        counts.append(sum(parameter.numel() for parameter in self.parameters()))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transformers.GPT2LMHeadModel, "__init__", counting)
        contestants.peer_step(small)(1)
    biases = ModelSpec.model_validate(small.model.dump() | {"linear_bias": True})
    assert counts == [count_parameters(biases).total]


def test_the_products_are_those_of_the_models_linear_maps(small: StepSpec) -> None:
    contestants.products_step(small)(0)
    attention = 3 * 2 * 2 * 2 * small.context * small.model.d_model
    assert contestants.product_flops(small) == (flops_per_token(small.model, context=16) - attention) * small.tokens


def test_our_step_learns_the_same_tokens(small: StepSpec) -> None:
    torch.testing.assert_close(contestants.tokens_of(small, 3), contestants.tokens_of(small, 3))
    contestants.stacklab_step(small)(0)
    assert build(small.model, seed=0).token_embedding.weight.shape == (64, 384)


def test_ratios_are_medians_of_pairs() -> None:
    seconds = {"stacklab": [1.0, 2.0, 4.0], "peer": [2.0, 2.0, 6.0], "products": [0.5, 1.5, 3.0]}
    row = summarise(SMALL, seconds, {"stacklab": 1.0, "peer": 4.0, "products": 9.0}, flops=30)
    assert (row["speed_ratio"], row["memory_ratio"], row["product_share"]) == (1.5, 0.25, 0.75)
    assert row["product_rate"] == 20.0
    assert "1.50" in render({"pairs": 3, "results": [row]})
