import contextlib
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from stacklab.base.errors import SpecError, StacklabError
from stacklab.bench import contestants, products
from stacklab.bench.spec import StepSpec
from stacklab.bench.step import Contestant, Race, render, run_bench, summarise
from stacklab.model.count import count_parameters, flops_per_token
from stacklab.model.init import build
from stacklab.model.spec import ModelSpec
from stacklab.train import step as train_step

SMALL = StepSpec(layers=2, batch=1, context=16, threads=1)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> StepSpec:
    """The benchmark's shapes with a small vocabulary."""
    model, train = SMALL.model.model_copy(update={"vocab_size": 64}), vars(StepSpec)["train"].fget
    monkeypatch.setattr(StepSpec, "model", property(lambda spec: model))
    monkeypatch.setattr(StepSpec, "train", property(lambda spec: train(spec).model_copy(update={"loss_chunk_rows": 8})))
    return SMALL


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
    contestants.CONTESTANTS["products"](small)(0)
    attention = 3 * 2 * 2 * 2 * small.context * small.model.d_model
    assert products.product_flops(small) == (flops_per_token(small.model, context=16) - attention) * small.tokens


def test_our_step_learns_the_same_tokens(small: StepSpec) -> None:
    torch.testing.assert_close(contestants.tokens_of(small, 3), contestants.tokens_of(small, 3))
    contestants.stacklab_step(small)(0)
    assert build(small.model, seed=0).token_embedding.weight.shape == (64, 384)


def test_ratios_are_medians_of_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "product_flops", lambda spec: 30)
    seconds = {"stacklab": [1.0, 2.0, 4.0], "peer": [2.0, 2.0, 6.0], "products": [0.5, 1.5, 3.0]}
    row = summarise(SMALL, seconds, {"stacklab": 1.0, "peer": 4.0, "products": 9.0})
    assert (row["speed_ratio"], row["memory_ratio"], row["product_share"]) == (1.5, 0.25, 0.75)
    assert row["product_rate"] == 20.0
    assert "1.50" in render({"pairs": 3, "results": [row]})


@pytest.mark.filterwarnings("ignore:The .grad attribute")
@pytest.mark.parametrize("name", ["stacklab-compiled", "nondeterministic", "peer-compiled", "head"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_contestants_of_a_card_take_steps(
    small: StepSpec, monkeypatch: pytest.MonkeyPatch, name: str, precision: str
) -> None:
    """On a CPU, with a backend that runs the captured graph as it is."""
    pytest.importorskip("transformers")
    torch._dynamo.reset()
    monkeypatch.setattr(train_step, "BACKEND", "eager")
    step = contestants.CONTESTANTS[name](small.model_copy(update={"precision": precision}))
    step(1)
    step(2)


@pytest.mark.parametrize(("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_the_peers_products_are_in_the_precision(
    small: StepSpec, monkeypatch: pytest.MonkeyPatch, precision: str, dtype: torch.dtype
) -> None:
    pytest.importorskip("transformers")
    formats: set[torch.dtype] = set()

    def watched(spec: StepSpec, make: Any = contestants._gpt2) -> torch.nn.Module:
        model = make(spec)
        model.lm_head.register_forward_hook(lambda part, inputs, logits: formats.add(logits.dtype))
        return model

    monkeypatch.setattr(contestants, "_gpt2", watched)
    contestants.CONTESTANTS["peer"](small.model_copy(update={"precision": precision}))(1)
    assert formats == {dtype}


def test_numbers_are_read_a_step_later_on_a_card() -> None:
    numbers = [torch.tensor(float(number)) for number in range(3)]
    late, at_once = contestants.LossReader(torch.device("cuda")), contestants.LossReader(torch.device("cpu"))
    for number in numbers:
        late.read(number)
        at_once.read(number)
    assert late.unread == (numbers[2],) and at_once.unread == ()


@pytest.mark.parametrize(
    ("device", "setting", "names"),
    [
        ("cpu", "auto", ("stacklab", "peer", "products")),
        ("cpu", "blocks", ("stacklab-compiled", "peer-compiled", "products")),
        ("cuda", "off", ("stacklab", "peer", "nondeterministic", "products", "head", "matrix")),
    ],
)
def test_contestants_follow_device_and_compile(device: str, setting: Any, names: tuple[str, ...]) -> None:
    chosen = contestants.contestant_names(torch.device(device), setting)
    assert chosen == names and set(chosen) <= set(contestants.CONTESTANTS)


def test_a_card_that_compiles_has_eager_and_compiled_contestants(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contestants, "compiles", lambda setting, device: True)
    names = contestants.contestant_names(torch.device("cuda"), "auto")
    assert names[:4] == ("stacklab", "stacklab-compiled", "peer", "peer-compiled")
    assert names[4] == "nondeterministic-compiled" and set(names) <= set(contestants.CONTESTANTS)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"device": "gpu"}, "device: Input should be 'auto'"),
        ({"precision": "fp8"}, "precision: Input should be"),
        ({"d_model": (63,)}, "does not divide d_model = 63"),
    ],
)
def test_settings_that_do_not_exist_are_refused(settings: Any, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        run_bench(pairs=1, **settings)


@contextlib.contextmanager
def race(*lines: str, may_fail: bool) -> Iterator[Race]:
    """Contestants that answer with these lines."""
    with contextlib.ExitStack() as stack:
        contestants: dict[str, Contestant] = {}
        for line in lines:
            script = f"import sys; sys.stdin.readline(); print({line!r})"
            process = subprocess.Popen(
                [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            stack.callback(process.communicate)
            contestants[str(len(contestants))] = Contestant(process)
        yield Race(contestants, may_fail=may_fail)


@pytest.mark.parametrize("at_once", [False, True])
def test_a_contestant_that_fails_on_a_card_is_left_out(at_once: bool) -> None:
    with race('{"seconds": 1.0}', '{"failure": "CUDA out of memory"}', may_fail=True) as one:
        one.measure(0, at_once=at_once)
        assert one.failures == {"1": "CUDA out of memory"}
        assert [contestant.rows for contestant in one.contestants.values()] == [[{"seconds": 1.0}]]


@pytest.mark.parametrize("at_once", [False, True])
def test_a_contestant_that_fails_on_a_cpu_ends_the_benchmark(at_once: bool) -> None:
    with (
        race('{"failure": "no memory"}', may_fail=False) as one,
        pytest.raises(StacklabError, match="no memory"),
    ):
        one.measure(0, at_once=at_once)
