from typing import Any

import pytest
import torch
from pydantic import ValidationError

from stacklab.model import parametrisation as rules
from stacklab.model.attention import Attention
from stacklab.model.block import Block
from stacklab.model.init import build
from stacklab.model.ops.linear_cross_entropy import linear_cross_entropy
from stacklab.model.positions.kinds import RotaryPositions
from stacklab.model.settings.shorthands import BiasSpec
from stacklab.model.spec import InitSpec, ModelSpec, MupSpec, NormSpec

SMALL: dict[str, Any] = {
    "vocab_size": 31,
    "d_model": 16,
    "num_layers": 2,
    "num_heads": 2,
    "context_length": 12,
    "dropout": 0.1,
    "attention_dropout": 0.1,
    "linear_bias": True,
    "tie_embeddings": False,
    "init": InitSpec(std=0.3),
}
IDS = torch.arange(24).reshape(2, 12) * 7 % 31
LLAMA: dict[str, Any] = {
    "num_heads": 4,
    "num_kv_heads": 2,
    "feed_forward": "gated",
    "activation": "silu",
    "position": RotaryPositions(),
    "norm": NormSpec(kind="rms"),
    "linear_bias": BiasSpec(),
}
NAMES = tuple(name for name, _ in build(ModelSpec(**SMALL), seed=0).named_parameters())

TABLES = ("token_embedding.weight", "position_embedding.weight", "head.weight")
MATRIX, NORM, BIAS = (
    "blocks.1.attention.output.weight",
    "blocks.0.attention_norm.weight",
    "blocks.0.attention.output.bias",
)


def four_times_as_wide_and_deep(exponent: float = 1.0, **change: Any) -> ModelSpec:
    scaled = MupSpec(base_d_model=16, base_num_layers=2, depth_exponent=exponent)
    return ModelSpec(**SMALL | {"d_model": 64, "num_layers": 8, "parametrisation": scaled} | change)


@pytest.mark.parametrize(
    ("name", "std", "rate", "decay", "epsilon"),
    [
        *((name, 0.3, 1.0, 1.0, 1 / 4) for name in TABLES),
        (MATRIX, 0.15, 1 / 4, 4.0, 1 / 16),
        ("blocks.7.attention.query_key_value.weight", 0.15, 1 / 4, 4.0, 1 / 16),
        ("blocks.7.feed_forward.expand.weight", 0.15, 1 / 4, 4.0, 1 / 16),
        ("blocks.0.feed_forward.output.weight", 0.15, 1 / 4, 4.0, 1 / 16),
        (NORM, None, 1.0, 1.0, 1 / 16),
        (BIAS, None, 1.0, 1.0, 1 / 16),
        ("final_norm.weight", None, 1.0, 1.0, 1 / 4),
    ],
)
def test_the_table_at_four_times_the_size(
    name: str, std: float | None, rate: float, decay: float, epsilon: float
) -> None:
    """CompleteP, table 1, with m = l = 4 and a = 1."""
    spec = four_times_as_wide_and_deep()
    if std is not None:
        assert rules.initial_std(spec, name) == pytest.approx(std)
    assert rules.learning_rate_factor(spec, name) == pytest.approx(rate)
    assert rules.weight_decay_factor(spec, name) == pytest.approx(decay)
    assert rules.epsilon_factor(spec, name) == pytest.approx(epsilon)


def test_depth_mup_lowers_the_rates_of_layers_and_multiplies_branches_by_a_root() -> None:
    spec = four_times_as_wide_and_deep(0.5)
    assert rules.residual_multiplier(spec) == 0.5
    assert rules.residual_multiplier(four_times_as_wide_and_deep(1.0)) == 0.25
    assert [rules.learning_rate_factor(spec, name) for name in (MATRIX, NORM, BIAS)] == [1 / 8, 1 / 2, 1 / 2]
    assert rules.weight_decay_factor(spec, MATRIX) == 8.0
    assert rules.epsilon_factor(spec, MATRIX) == 1 / 8
    assert [rules.learning_rate_factor(spec, name) for name in (*TABLES, "final_norm.weight")] == [1.0] * 4


def test_without_a_base_depth_depth_changes_nothing() -> None:
    deep = four_times_as_wide_and_deep(parametrisation=MupSpec(base_d_model=16))
    assert rules.residual_multiplier(deep) == 1.0
    assert rules.learning_rate_factor(deep, NORM) == 1.0
    assert rules.epsilon_factor(deep, MATRIX) == 1 / 4


def test_depth_scaled_initialisation_counts_the_layers_of_the_base() -> None:
    """Or branches would shrink twice as the stack deepens."""
    change = {"init": InitSpec(std=0.3, residual="depth_scaled")}
    assert rules.initial_std(four_times_as_wide_and_deep(**change), MATRIX) == pytest.approx(0.3 / 4**0.5 / 4**0.5)
    unruled = change | {"parametrisation": MupSpec(base_d_model=16)}
    assert rules.initial_std(four_times_as_wide_and_deep(**unruled), MATRIX) == pytest.approx(0.3 / 16**0.5 / 4**0.5)


def test_scores_are_divided_by_the_head_size_in_units_of_the_bases() -> None:
    """Heads of 32 where the base has 8: 1/sqrt(8) * 8/32. With a base of as large heads nothing changes."""
    grown = build(four_times_as_wide_and_deep(), seed=0)
    more = MupSpec(base_d_model=16, base_head_size=8)
    same = build(four_times_as_wide_and_deep(num_heads=8, parametrisation=more), seed=0)
    assert grown.blocks[0].attention.scale == pytest.approx(8**-0.5 / 4)  # type: ignore[union-attr]
    assert same.blocks[0].attention.scale == 8**-0.5  # type: ignore[union-attr]


def test_scores_without_a_scale_and_identity_terms_stay_as_large_as_at_the_base() -> None:
    """<q, k> of a head of 32 against the base's 8, and <x, x> of 64 against 16."""
    wide = {"d_model": 64, "num_heads": 2, "attention_scale": "none", "attention_identity": 0.2}
    spec = ModelSpec(**SMALL | wide | {"parametrisation": MupSpec(base_d_model=16)})
    attention = Attention(spec, spec.layers[0])
    assert attention.scale == 1 / 4
    assert attention.identity_scale * attention.scale == 1 / 4


@pytest.mark.parametrize(
    "change", [{}, {"norm": NormSpec(placement="post")}, {"tie_embeddings": True}, {"window": 3}, LLAMA]
)
@pytest.mark.parametrize("seed", [None, 5])
def test_at_the_bases_size_it_is_the_standard_one_bit_for_bit(change: dict[str, Any], seed: int | None) -> None:
    base = MupSpec(base_d_model=16, base_num_layers=2 if change.get("norm", NormSpec()).placement == "pre" else None)
    plain, scaled = (ModelSpec(**SMALL | change | extra) for extra in ({}, {"parametrisation": base}))
    one, other = build(plain, seed=1), build(scaled, seed=1)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    assert torch.equal(one(IDS, seed), other(IDS, seed))
    assert all(rules.learning_rate_factor(scaled, name) == rules.epsilon_factor(scaled, name) == 1.0 for name in NAMES)


@pytest.mark.parametrize("change", [{}, LLAMA], ids=["plain", "Llama"])
def test_initial_deviations_are_those_of_the_rules(change: dict[str, Any]) -> None:
    spec = four_times_as_wide_and_deep(**change)
    for name, value in build(spec, seed=0).named_parameters():
        if value.ndim >= 2:
            assert value.std().item() == pytest.approx(rules.initial_std(spec, name), rel=0.1), name


@pytest.mark.parametrize("tied", [True, False])
def test_logits_of_every_path_are_divided_by_the_width(tied: bool) -> None:
    """Without layers, equal tables give logits of 1/4: from `logits`, through the loss, and in its gradient."""
    change = {"num_layers": 0, "tie_embeddings": tied, "dropout": 0.0}
    scaled = build(four_times_as_wide_and_deep(**change), seed=0)
    plain = build(ModelSpec(**SMALL | change | {"d_model": 64}), seed=0)
    assert torch.allclose(scaled.logits(scaled(IDS)), plain.logits(plain(IDS)) / 4)
    hidden_BTD, table_VD = scaled.with_head(IDS, 1)
    loss = linear_cross_entropy(hidden_BTD.flatten(0, 1), table_VD, IDS.flatten())
    slow = torch.nn.functional.cross_entropy(plain.logits(plain(IDS)).flatten(0, 1) / 4, IDS.flatten())
    loss.backward()
    slow.backward()
    assert loss.item() == pytest.approx(slow.item(), rel=1e-5)
    for one, other in zip(scaled.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-4, atol=1e-7)


def test_branches_are_multiplied_in_training_and_evaluation() -> None:
    """A layer adds a quarter of what it adds in a plain stack of equal weights, if its branches do not see one
    another: the first branch is silenced."""
    scaled = MupSpec(base_d_model=16, base_num_layers=1)
    spec = ModelSpec(**SMALL | {"num_layers": 4, "dropout": 0.0, "attention_dropout": 0.0})
    plain = Block(spec, spec.layers[0])
    slow = Block(spec.model_copy(update={"parametrisation": scaled}), spec.layers[0])
    with torch.no_grad():
        plain.attention.output.weight.zero_()
        plain.attention.output.bias.zero_()
    slow.load_state_dict(plain.state_dict())
    x_BTD = torch.linspace(-1, 1, 2 * 5 * 16).reshape(2, 5, 16)
    for seed in (None, 3):
        torch.testing.assert_close((slow(x_BTD, seed) - x_BTD) * 4, plain(x_BTD, seed) - x_BTD)


@pytest.mark.parametrize("change", [{}, LLAMA], ids=["plain", "Llama"])
def test_epsilon_follows_the_size_of_the_gradients(change: dict[str, Any]) -> None:
    """At four times the width and the depth, gradients are smaller by the factor of epsilon, for every tensor.

    Tolerance: a factor of 1.6, over three seeds; the factors are 1/4 and 1/16.
    """
    off = {"dropout": 0.0, "attention_dropout": 0.0, "init": InitSpec(), "context_length": 40} | change
    large = four_times_as_wide_and_deep(d_model=128, parametrisation=MupSpec(base_d_model=32, base_num_layers=2), **off)
    small = ModelSpec.model_validate(large.dump() | {"d_model": 32, "num_layers": 2})
    sizes = [sum_of_gradients(small), sum_of_gradients(large)]
    for name, before in sizes[0].items():
        ratio = sizes[1][name] / before / rules.epsilon_factor(large, name)
        assert 1 / 1.6 < ratio < 1.6, name


def sum_of_gradients(spec: ModelSpec) -> dict[str, float]:
    """By tensor, the mean absolute gradient, summed over seeds."""
    ids = torch.randint(31, (8, 33), generator=torch.Generator().manual_seed(0))
    sizes: dict[str, float] = {}
    for seed in range(3):
        model = build(spec, seed=seed)
        hidden_BTD, table_VD = model.with_head(ids[:, :-1], None)
        linear_cross_entropy(hidden_BTD.flatten(0, 1), table_VD, ids[:, 1:].flatten()).backward()
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None
            sizes[name] = sizes.get(name, 0.0) + parameter.grad.abs().mean().item()
    return sizes


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"kind": "mup"}, "base_d_model"),
        ({"kind": "mu"}, "mu"),
        ({"kind": "standard", "base_d_model": 8}, "Extra"),
        ({"kind": "mup", "base_d_model": 0}, "greater than 0"),
        ({"kind": "mup", "base_d_model": 8, "depth_exponent": 0.3}, "0.5"),
    ],
)
def test_what_is_not_a_parametrisation_is_refused(tree: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ModelSpec.model_validate({"parametrisation": tree})


def test_the_rule_for_depth_needs_norms_before_the_sub_layers() -> None:
    post = {"norm": NormSpec(placement="post")}
    ModelSpec(parametrisation=MupSpec(base_d_model=8), **post)
    with pytest.raises(ValidationError, match="leave base_num_layers out"):
        ModelSpec(parametrisation=MupSpec(base_d_model=8, base_num_layers=1), **post)
