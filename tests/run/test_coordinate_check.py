"""The coordinate check as a test of the parametrisation: what must stay flat does, what must not does not."""

from typing import Any

import pytest
import torch

from stacklab.model import init
from stacklab.model import transformer as stack
from stacklab.model.spec import ModelSpec, MupSpec, NormSpec
from stacklab.run.coordinate_check import outputs, watch
from stacklab.stats.describe import power
from stacklab.train import optimizer
from stacklab.train.optimizer_spec import AdamWSpec
from stacklab.train.spec import ScheduleSpec, TrainSpec
from stacklab.train.step import Trainer

STEPS, SEEDS = 4, (1, 2, 3)
FLAT = 0.15
"""Powers of outputs that stay: three seeds at widths under 200 leave 0.1; a wrong rule leaves 0.5 or 1."""
STEEP = 0.5

WIDTHS = tuple({"d_model": width} for width in (32, 64, 128))
DEPTHS = tuple({"num_layers": depth} for depth in (2, 4, 8))
Sizes = tuple[dict[str, int], ...]


def tokens(seed: int, blocks: int) -> torch.Tensor:
    """Blocks of frequent and rare ids, so that there is something to learn."""
    generator = torch.Generator().manual_seed(seed)
    return torch.multinomial(1 / torch.arange(1.0, 62.0), blocks * 25, replacement=True, generator=generator).view(
        blocks, 25
    )


def trainer(seed: int, **model: Any) -> Trainer:
    small = {"vocab_size": 61, "d_model": 32, "num_layers": 2, "num_heads": 2, "context_length": 24}
    spec = ModelSpec.model_validate(small | {"dropout": 0.0, "attention_dropout": 0.0} | model)
    train = TrainSpec(
        steps=STEPS,
        batch_size=8,
        optimizer=AdamWSpec(learning_rate=3e-3),
        schedule=ScheduleSpec(kind="constant", warmup_steps=0),
    )
    return Trainer(init.build(spec, seed=seed), train, seed)


def pair(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Eight sequences to read, and what follows each id."""
    tokens_BT = tokens(seed, 8)
    return tokens_BT[:, :-1], tokens_BT[:, 1:]


def powers(sizes: Sizes, *, step: int = STEPS, **model: Any) -> dict[str, float]:
    """By part, the power of the size with which its output after `step` steps grows; mean over seeds."""
    (knob,) = sizes[0]
    values: list[float] = []
    outputs_of: dict[str, list[float]] = {}
    for size in sizes:
        for seed in SEEDS:
            values.append(size[knob])
            batches = [pair(100 * seed + index) for index in range(step)]
            for row in watch(trainer(seed, **model | size), batches, tokens(0, 4)[:, :-1]):
                if row.step == step:
                    outputs_of.setdefault(row.part, []).append(row.size)
    grown = {part: power(values, y) for part, y in outputs_of.items() if len(y) == len(values)}
    return {part: slope for part, slope in grown.items() if isinstance(slope, float)}


@pytest.mark.trains
@pytest.mark.parametrize(
    "change",
    [
        {},
        {"tie_embeddings": False, "linear_bias": True},
        {"norm": {"placement": "sandwich", "kind": "rms"}, "qk_norm": "head"},
        {"norm": {"placement": "peri"}, "residual": "depth_scaled"},
        {"norm": {"placement": "reordered"}, "qk_norm": "projection"},
        {"norm": {"placement": "post"}, "residual": "deepnorm"},
    ],
    ids=str,
)
def test_over_width_every_output_is_flat(change: dict[str, Any]) -> None:
    slopes = powers(WIDTHS, parametrisation=MupSpec(base_d_model=32), **change)
    assert slopes.keys() == {
        "embedding",
        "attention",
        "feed-forward",
        "after block 1",
        "after the last block",
        "logits",
    }
    assert all(abs(slope) < FLAT for slope in slopes.values()), slopes


@pytest.mark.trains
def test_over_width_every_output_of_layers_with_the_same_weights_is_flat() -> None:
    """The rules for width hold for a gradient that is a sum over layers."""
    wide = tuple({"d_model": width} for width in (64, 128, 256))
    slopes = powers(wide, parametrisation=MupSpec(base_d_model=64), share="all", num_layers=3)
    assert all(abs(slope) < FLAT for slope in slopes.values()), slopes


@pytest.mark.trains
def test_over_width_all_but_the_logits_are_flat_where_branches_start_at_zero() -> None:
    """Factors of 0 pass on little of what layers learn within four steps, so logits are still those of the start."""
    slopes = powers(WIDTHS, parametrisation=MupSpec(base_d_model=32), residual="rezero")
    assert slopes.pop("logits") < 0
    assert all(abs(slope) < FLAT for slope in slopes.values()), slopes


def test_over_width_outputs_start_flat_and_logits_start_small() -> None:
    """A sum over the width of independent terms, divided by the width: untrained logits fall as its root."""
    slopes = powers(WIDTHS, step=0, parametrisation=MupSpec(base_d_model=32))
    assert slopes.pop("logits") == pytest.approx(-0.5, abs=FLAT)
    assert all(abs(slope) < FLAT for slope in slopes.values()), slopes


@pytest.mark.trains
def test_over_width_outputs_of_a_standard_stack_grow() -> None:
    slopes = powers(WIDTHS)
    for part in ("attention", "feed-forward", "after the last block", "logits"):
        assert slopes[part] > STEEP, slopes


@pytest.mark.trains
def test_over_depth_the_stream_is_flat_and_that_of_a_standard_stack_grows() -> None:
    scaled = MupSpec(base_d_model=32, base_num_layers=2)
    slopes = powers(DEPTHS, parametrisation=scaled)
    for part in ("embedding", "attention", "feed-forward", "after the last block", "logits"):
        assert abs(slopes[part]) < FLAT, slopes
    assert powers(DEPTHS)["after the last block"] > STEEP


@pytest.mark.trains
@pytest.mark.parametrize(
    ("module", "rule", "step", "steep"),
    [
        (init, "initial_std", 0, "attention"),
        (optimizer, "learning_rate_factor", STEPS, "after the last block"),
        (stack, "logit_multiplier", STEPS, "logits"),
    ],
)
def test_without_one_of_the_rules_an_output_is_not_flat(
    module: Any, rule: str, step: int, steep: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, rule, lambda spec, *_: spec.init.std if rule == "initial_std" else 1.0)
    assert powers(WIDTHS, step=step, parametrisation=MupSpec(base_d_model=32))[steep] > STEEP


def test_outputs_are_those_of_the_parts() -> None:
    """The stream of a pre-norm stack is the sum of what its parts put out; the logits are those of the head."""
    model = trainer(1, num_layers=3).model
    ids_BT = tokens(0, 2)[:, :-1]
    by_part = outputs(model, ids_BT)
    assert [len(values) for values in by_part.values()] == [1, 3, 3, 1, 1, 1, 1]
    whole = by_part["embedding"][0] + sum(by_part["attention"]) + sum(by_part["feed-forward"])
    torch.testing.assert_close(by_part["after the last block"][0], whole)
    torch.testing.assert_close(by_part["logits"][0], model.logits(model(ids_BT)).flatten(0, 1))
    assert not any(module._forward_hooks for module in model.modules())


@pytest.mark.parametrize("change", [{"num_layers": 0}, {"norm": NormSpec(placement="post")}])
def test_stacks_without_layers_or_with_norms_after_them_have_outputs_too(change: dict[str, Any]) -> None:
    by_part = outputs(trainer(1, **change).model, tokens(0, 2)[:, :-1])
    assert {"embedding", "logits"} <= by_part.keys()


def test_the_change_is_from_the_start_and_zero_there() -> None:
    rows = list(watch(trainer(1), [pair(1), pair(2)], tokens(0, 2)[:, :-1]))
    assert {row.step for row in rows} == {0, 1, 2}
    assert all((row.change == 0) == (row.step == 0) and row.size > 0 for row in rows)
    embedding = [row for row in rows if row.part == "embedding"]
    assert embedding[2].change > embedding[1].change
