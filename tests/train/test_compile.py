"""Compiled blocks, with a backend that runs the captured graph as it is: what is captured is the same on a card."""

from typing import Any

import pytest
import torch
from tests.train.trainers import MODEL, PAIR, PLAIN, weights

from stacklab.model.init import build
from stacklab.model.spec import ModelSpec
from stacklab.train import step as module
from stacklab.train.spec import TrainSpec
from stacklab.train.step import Trainer

# Tracing looks at .grad of tensors that are no leaves, and torch warns of itself.
pytestmark = pytest.mark.filterwarnings("ignore:The .grad attribute")

DROPPED: dict[str, Any] = {"dropout": 0.2, "attention_dropout": 0.2}


@pytest.fixture(autouse=True)
def graphs(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every graph that is compiled."""
    compiled: list[Any] = []

    def backend(graph: torch.fx.GraphModule, inputs: list[torch.Tensor]) -> Any:
        compiled.append(graph)
        return graph.forward

    torch._dynamo.reset()
    monkeypatch.setattr(module, "BACKEND", backend)
    return compiled


def trainer(compile: str, model: dict[str, Any], **train: Any) -> Trainer:
    spec = TrainSpec(**PLAIN | {"compile": compile} | train)
    return Trainer(build(ModelSpec(**MODEL | model), seed=0), spec, seed=0)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_block_is_compiled_once_whatever_the_step_and_however_deep_the_stack(
    graphs: list[Any], precision: str
) -> None:
    """Dropout seeds, rates and steps are no constants of a graph; without breaks, or compilation would have failed."""
    one = trainer("blocks", {"num_layers": 4, **DROPPED}, precision=precision)
    for step in range(4):
        one.step(step, *PAIR)
    assert len(graphs) == 1


@pytest.mark.parametrize("model", [{}, {"share": "all"}, {"share": {"part": "attention", "cycle": 1}}], ids=str)
def test_compiled_blocks_compute_what_blocks_compute(graphs: list[Any], model: dict[str, Any]) -> None:
    plain, compiled = trainer("off", model), trainer("blocks", model)
    for step in range(3):
        assert plain.step(step, *PAIR) == compiled.step(step, *PAIR)
    assert torch.equal(weights(plain), weights(compiled)) and graphs


def test_masks_of_a_compiled_stack_follow_from_seed_and_step_alone() -> None:
    """They come from the device's generator, which each forward pass seeds."""
    first, again, other = (trainer("blocks", DROPPED) for _ in range(3))
    torch.default_generator.manual_seed(1)
    losses = [first.step(step, *PAIR)[0] for step in (0, 1)]
    torch.default_generator.manual_seed(2)
    assert [again.step(step, *PAIR)[0] for step in (0, 1)] == losses
    assert other.step(1, *PAIR)[0] != losses[0]


def test_texts_are_written_without_compiling_for_every_length(graphs: list[Any]) -> None:
    from stacklab.model.generation.decode import generate

    one = trainer("blocks", {})
    generate(one.model, [[1, 2, 3]], max_tokens=4, end_id=None)
    assert not graphs
