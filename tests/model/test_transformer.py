from typing import Any

import pytest
import torch
from tests.model.small import CAUSAL, SMALL

from stacklab.model.cache import Decoding, LayerCache
from stacklab.model.init import build
from stacklab.model.residual import DeepNormResidual, DepthScaledResidual, ReZeroResidual
from stacklab.model.spec import InitSpec, ModelSpec, MupSpec, NormSpec

IDS = torch.arange(12)[None] * 7 % 31


def hidden(dropout_seed: int | None = None, seed: int = 0, **change: Any) -> torch.Tensor:
    return build(ModelSpec.model_validate(SMALL | change), seed=seed)(IDS, dropout_seed).detach()


@pytest.mark.parametrize("change", CAUSAL, ids=str)
def test_no_position_sees_the_future(change: dict[str, Any]) -> None:
    """By gradient: a state depends on every embedding up to it that its windows reach, and on none after."""
    model = build(ModelSpec(**SMALL | change), seed=0)
    embedded = model._placed(model.token_embedding(IDS), torch.arange(12)).detach().requires_grad_()
    model._placed = lambda rows, positions: embedded  # type: ignore[method-assign]
    model(IDS)[0, 6].pow(2).sum().backward()
    assert embedded.grad is not None
    reached = embedded.grad[0].abs().sum(-1) > 0
    assert reached.tolist() == [t <= 6 for t in range(12)]


@pytest.mark.parametrize(("window", "reach"), [(None, 11), (2, 3)])
def test_a_full_mask_shows_the_future_as_far_as_its_windows_reach(window: int | None, reach: int) -> None:
    """Each of three layers with a window of 2 reaches one position further, both ways."""
    model = build(ModelSpec(**SMALL | {"mask": "full", "window": window, "position": "none"}), seed=0)
    states_TD = model(IDS)[0]
    seen = [t for t in range(12) if not torch.equal(model(changed_at(t))[0, 6], states_TD[6])]
    assert seen == [t for t in range(12) if abs(t - 6) <= reach]


def changed_at(t: int) -> torch.Tensor:
    ids = IDS.clone()
    ids[0, t] = (ids[0, t] + 1) % 31
    return ids


def test_a_window_hides_what_lies_before_it() -> None:
    one = ModelSpec(**SMALL | {"num_layers": 1, "window": 3, "position": "none"})
    model = build(one, seed=0)
    changed = IDS.clone()
    changed[0, 0] = 5
    same = (model(IDS)[0] == model(changed)[0]).all(-1)
    assert same.tolist() == [False] * 3 + [True] * 9


@pytest.mark.parametrize(
    "change",
    [
        {"num_heads": [1, 2, 4]},
        {"d_ff": [8, 16, 32]},
        {"d_ff": [64, 0, 64]},
        {"mask": "full"},
        {"position": {"kind": "factored", "period": 5}},
        {"attention_scale": "none"},
        {"attention_identity": 0.2},
        {"token_table": "frozen", "tie_embeddings": False, "init": InitSpec(std=0.3, token_std=0.2)},
        {"norm": NormSpec(placement="none")},
        {"norm": NormSpec(final=False)},
        {"init": InitSpec(std=0.3, token_std=0.2)},
        {"init": InitSpec(std=0.3, position_std=0.2)},
        {"window": [2, None, 4]},
        {"activation": "relu"},
        {"activation": "silu"},
        {"activation": "gelu_tanh"},
        {"position": "none"},
        {"position": "sinusoidal"},
        {"linear_bias": True, "seed": 1},
        {"tie_embeddings": False},
        {"norm": NormSpec(placement="post")},
        {"norm": NormSpec(epsilon=0.1)},
        {"norm": NormSpec(kind="rms")},
        {"position": "rotary"},
        {"position": {"kind": "rotary", "base": 10.0}},
        {"feed_forward": "gated"},
        {"num_kv_heads": 1},
        *({"norm": NormSpec(placement=place)} for place in ("sandwich", "peri", "reordered")),
        {"qk_norm": "head"},
        {"qk_norm": "projection"},
        {"residual": DepthScaledResidual()},
        {"residual": DeepNormResidual(), "norm": NormSpec(placement="post")},
        {"init": InitSpec(std=0.1)},
        {"init": InitSpec(std=0.3, residual="depth_scaled")},
        {"num_layers": 2},
    ],
)
def test_every_setting_acts_on_the_output(change: dict[str, Any]) -> None:
    model = build(ModelSpec(**SMALL | {key: value for key, value in change.items() if key != "seed"}), seed=0)
    plain = build(ModelSpec(**SMALL), seed=0)
    if "linear_bias" in change:
        assert len(list(model.parameters())) > len(list(plain.parameters()))
    else:
        assert not torch.equal(model.logits(model(IDS)), plain.logits(plain(IDS)))


def test_deepnorm_starts_with_smaller_values_outputs_and_feed_forwards() -> None:
    """By (8 N)^(-1/4) for N layers; queries and keys start as ever. Shared heads have as many values as keys."""
    change = {"norm": NormSpec(placement="post"), "num_heads": 4, "num_kv_heads": 2}
    plain, scaled = (
        dict(build(ModelSpec(**SMALL | change | more), seed=0).named_parameters())
        for more in ({}, {"residual": DeepNormResidual()})
    )
    for name, value in scaled.items():
        factor = torch.ones_like(value)
        if name.startswith("blocks.") and value.ndim == 2:
            factor[24 if "query_key_value" in name else 0 :] = (8 * 3) ** -0.25
        torch.testing.assert_close(value, plain[name] * factor)


def test_rezero_starts_as_the_identity_and_trains_a_factor_for_every_branch() -> None:
    spec = ModelSpec(**SMALL | {"residual": ReZeroResidual(), "d_ff": [64, 0, 64]})
    model, bare = build(spec, seed=0), build(ModelSpec(**SMALL | {"num_layers": 0}), seed=0)
    assert torch.equal(model(IDS), bare(IDS))
    model(IDS).square().sum().backward()
    factors = {name: value for name, value in model.named_parameters() if name.endswith("_factor")}
    assert len(factors) == 5 and all(value.grad is not None and value.grad != 0 for value in factors.values())


@pytest.mark.parametrize("change", [{"norm": NormSpec(placement="reordered")}, {"norm": NormSpec(placement="peri")}])
def test_the_scale_of_a_kept_layer_is_not_undone_by_a_norm_after_it(change: dict[str, Any]) -> None:
    """With equal norms, a branch that is scaled within its norm would be the same branch."""
    change |= {"dropout": 0.0, "attention_dropout": 0.0, "num_layers": 1, "d_ff": 0}
    dropping = build(ModelSpec.model_validate(SMALL | change | {"layer_drop": 0.5}), seed=0)
    x_BTD = torch.randn(1, 12, 16, generator=torch.Generator().manual_seed(0))
    plain, scaled = (dropping.blocks[0](x_BTD, 3, scale) - x_BTD for scale in (1.0, 2.0))
    torch.testing.assert_close(scaled, 2 * plain)


def test_norm_bias_is_a_parameter_or_is_not() -> None:
    with_bias, without = (build(ModelSpec(**SMALL | {"norm": NormSpec(bias=bias)}), seed=0) for bias in (True, False))
    assert sum(p.numel() for p in with_bias.parameters()) - sum(p.numel() for p in without.parameters()) == 7 * 16


@pytest.mark.parametrize(
    ("place", "where"),
    [("query_key_value", "query_key_value"), ("output", "attention.output"), ("feed_forward", "feed_forward")],
)
def test_a_bias_goes_where_it_is_put(place: str, where: str) -> None:
    spec = ModelSpec.model_validate(SMALL | {"linear_bias": {place: True}, "norm": NormSpec(bias=False)})
    biases = [name for name, _ in build(spec, seed=0).named_parameters() if name.endswith("bias")]
    assert len(biases) == (6 if place == "feed_forward" else 3)
    assert all(where in name for name in biases)


@pytest.mark.parametrize("name", ["dropout", "attention_dropout"])
def test_dropout_acts_in_training_only_and_repeats_with_its_seed(name: str) -> None:
    off = {"dropout": 0.0, "attention_dropout": 0.0}
    plain, on = hidden(**off), off | {name: 0.5}
    assert torch.equal(hidden(None, **on), plain)
    assert not torch.equal(hidden(3, **on), plain)
    assert torch.equal(hidden(3, **on), hidden(3, **on))
    assert not torch.equal(hidden(3, **on), hidden(4, **on))


def test_a_dropped_layer_is_skipped_and_a_kept_one_is_scaled() -> None:
    off = {"dropout": 0.0, "attention_dropout": 0.0, "num_layers": 1}
    outputs = [hidden(seed, layer_drop=0.5, **off) for seed in range(40)]
    none = hidden(**off | {"num_layers": 0})
    skipped = sum(torch.equal(output, none) for output in outputs)
    assert 10 <= skipped <= 30
    assert not any(torch.equal(output, hidden(**off)) for output in outputs)
    assert torch.equal(hidden(None, layer_drop=0.5, **off), hidden(**off))


def test_arms_of_different_depth_start_from_equal_tables_and_first_layers() -> None:
    shallow, deep = (build(ModelSpec(**SMALL | {"num_layers": n}), seed=1) for n in (1, 3))
    own = dict(deep.named_parameters())
    assert all(torch.equal(value, own[name]) for name, value in shallow.named_parameters())
    assert not torch.equal(own["blocks.0.feed_forward.expand.weight"], own["blocks.1.feed_forward.expand.weight"])
    other = build(ModelSpec(**SMALL), seed=2)
    assert not torch.equal(other.token_embedding.weight, deep.token_embedding.weight)


def test_depth_scaled_initialisation_divides_residual_outputs() -> None:
    plain, scaled = (
        build(ModelSpec(**SMALL | {"init": InitSpec(residual=kind)}), seed=0) for kind in ("plain", "depth_scaled")
    )
    for name, value in scaled.named_parameters():
        factor = 6**-0.5 if name.endswith("output.weight") else 1.0
        torch.testing.assert_close(value, dict(plain.named_parameters())[name] * factor)
    attention_only = {"d_ff": [0, 64, 0], "init": InitSpec(residual="depth_scaled")}
    fewer = dict(build(ModelSpec(**SMALL | attention_only), seed=0).named_parameters())[
        "blocks.0.attention.output.weight"
    ]
    torch.testing.assert_close(fewer * 4**0.5, dict(plain.named_parameters())["blocks.0.attention.output.weight"])


def test_tables_and_identity_terms_start_as_told() -> None:
    init = InitSpec(std=0.02, token_std=1.0, position_std=0.5)
    change = {"position": {"kind": "factored", "period": 3}, "attention_identity": 0.2, "init": init}
    wide = SMALL | {"d_model": 512, "num_heads": 4, "num_layers": 1}
    named = dict(build(ModelSpec(**wide | change), seed=0).named_parameters())
    identity = named["blocks.0.attention.identity_H"]
    assert identity.tolist() == pytest.approx([0.2] * 4)
    for name, std in {
        "token_embedding.weight": 1.0,
        "position_embedding.slot.weight": 0.5,
        "position_embedding.group.weight": 0.5,
        "blocks.0.feed_forward.expand.weight": 0.02,
    }.items():
        assert named[name].std().item() == pytest.approx(std, rel=0.05), name


def test_decoding_gives_the_hidden_states_of_the_forward_pass_under_every_multiplier() -> None:
    model = build(ModelSpec(**SMALL | {"parametrisation": MupSpec(base_d_model=2, base_num_layers=1)}), seed=0)
    causal_BTS = torch.ones(1, 12, 12, dtype=torch.bool).tril()
    decoding = Decoding(torch.arange(12)[None], causal_BTS, [LayerCache(12) for _ in model.blocks])
    decoded = model(IDS, decoding=decoding)
    torch.testing.assert_close(decoded, model(IDS))
