from typing import Any

import pytest

from stacklab.model.count import count_parameters
from stacklab.model.spec import ModelSpec
from stacklab.report.facts.architecture import architecture

SMALL: dict[str, Any] = {"vocab_size": 97, "d_model": 32, "num_layers": 3, "context_length": 24, "dropout": 0.0}


def drawn(**change: Any) -> list[tuple[str, str]]:
    """The parts from the tokens upwards; parameters are checked to add up to the closed count."""
    spec = ModelSpec.model_validate(SMALL | change)
    stack = architecture(spec)
    parts = [*stack.before, *stack.block, *stack.after]
    count = count_parameters(spec)
    assert sum(part.parameters or 0 for part in parts) == count.total
    assert stack.block_parameters + sum(part.parameters or 0 for part in (*stack.before, *stack.after)) == count.total
    return [(part.name, part.detail) for part in parts]


def names(**change: Any) -> list[str]:
    return [name for name, _ in drawn(**change)]


@pytest.mark.parametrize(
    ("norm", "block"),
    [
        (
            {"placement": "pre"},
            ["LayerNorm", "Causal attention", "add", "LayerNorm", "Feed-forward", "add", "LayerNorm"],
        ),
        ({"placement": "post"}, ["Causal attention", "add", "LayerNorm", "Feed-forward", "add", "LayerNorm"]),
        ({"placement": "none"}, ["Causal attention", "add", "Feed-forward", "add"]),
        (
            {"placement": "sandwich"},
            [
                *("LayerNorm", "Causal attention", "LayerNorm", "add"),
                *("LayerNorm", "Feed-forward", "LayerNorm", "add", "LayerNorm"),
            ],
        ),
        (
            {"placement": "reordered"},
            ["Causal attention", "LayerNorm", "add", "Feed-forward", "LayerNorm", "add", "LayerNorm"],
        ),
        ({"placement": "none", "final": True}, ["Causal attention", "add", "Feed-forward", "add", "LayerNorm"]),
    ],
)
def test_norms_stand_where_they_are(norm: dict[str, Any], block: list[str]) -> None:
    assert names(norm=norm, linear_bias=True) == ["Token embedding", "Position embedding", *block, "Head"]


def test_layers_without_a_feed_forward_have_no_norm_for_it() -> None:
    assert "Feed-forward" not in names(d_ff=0)
    assert ("Feed-forward", "32 → none / 64 / none → 32, gelu") in drawn(d_ff=[0, 64, 0], norm={"placement": "post"})


@pytest.mark.parametrize(
    ("share", "attention", "feed_forward"),
    [
        ("all", ", weights shared by all layers", ", weights shared by all layers"),
        ({"part": "attention", "blocks": [0, 1, 0]}, ", weights shared: 0 / 1 / 0", ""),
        ({"part": "feed_forward", "groups": 2}, "", ", weights shared: 0 / 0 / 1"),
    ],
)
def test_layers_with_the_same_weights_say_which(share: object, attention: str, feed_forward: str) -> None:
    parts = dict(drawn(share=share))
    assert parts["Causal attention"] == f"8 heads of 4{attention}"
    assert parts["Feed-forward"] == f"32 → 128 → 32, gelu{feed_forward}"


def test_what_is_unusual_is_said() -> None:
    parts = dict(
        drawn(
            mask="full",
            attention_scale="none",
            attention_identity=0.2,
            position={"kind": "factored", "period": 5},
            token_table="frozen",
            tie_embeddings=False,
        )
    )
    assert parts["Token embedding"] == "97 × 32, frozen"
    assert parts["Position embedding"] == "factored, (5 slots + 5 groups) × 32"
    assert parts["Attention to all positions"] == "8 heads of 4, scores not scaled, identity term from 0.2"


def test_windows_and_patterns_are_said() -> None:
    def seen(**change: Any) -> str:
        return dict(drawn(num_heads=8, d_ff=0, **change))["Causal attention"].removeprefix("8 heads of 4, ")

    assert seen(window=[None, 256, None]) == "window all / 256 / all"
    mixed: list[Any] = [{"kind": "global", "size": 4}, {"kind": "window", "size": 2}, "full"]
    assert seen(attention_pattern=mixed) == "window 4 + 1 global / window 2 / all"
    assert seen(attention_pattern={"kind": "strided", "stride": 8, "size": 3}) == "stride 8 + window 3"
    assert seen(attention_pattern={"kind": "block", "size": 4, "neighbours": 1}) == "blocks of 4 ± 1"
    drawn_blocks = {"kind": "random_blocks", "size": 4, "random": 2, "last_global_blocks": 1}
    assert seen(attention_pattern=drawn_blocks) == "blocks of 4, own ± 1 + 2 global + 2 random"


def test_the_llama_form_is_said() -> None:
    parts = drawn(
        num_heads=8,
        num_kv_heads=[2, 4, 2],
        feed_forward="gated",
        activation="silu",
        position={"kind": "rotary", "base": 50_000},
        norm={"kind": "rms"},
    )
    assert [name for name, _ in parts] == [
        *("Token embedding", "RMSNorm", "Causal attention", "add", "RMSNorm", "Feed-forward", "add", "RMSNorm", "Head")
    ]
    said = dict(parts)
    assert said["Causal attention"] == "8 heads of 4, 2 / 4 / 2 of keys and values, rotary positions, base 50,000"
    assert said["Feed-forward"] == "32 → 128 → 32, gated by silu"


@pytest.mark.parametrize(
    ("residual", "detail"),
    [
        ("depth_scaled", "residual, branch / √5"),
        ("deepnorm", "residual, stream × 5^¼ (DeepNorm)"),
        ("rezero", "residual, branch × a trained factor (ReZero)"),
    ],
)
def test_residual_rules_and_normed_queries_are_said(residual: str, detail: str) -> None:
    parts = drawn(residual=residual, qk_norm="projection", d_ff=[64, 0, 64], norm={"placement": "post"})
    assert [each for name, each in parts if name == "add"] == [detail] * 2
    assert dict(parts)["Causal attention"] == "8 heads of 4, queries and keys normed by projection"


def test_a_norm_of_embeddings_stands_between_them_and_the_layers() -> None:
    parts = drawn(norm={"placement": "peri"}, dropout=0.1)
    assert [name for name, _ in parts[:4]] == ["Token embedding", "Position embedding", "LayerNorm", "Dropout"]
    assert parts[2][1] == "of embeddings"


def test_no_layers_and_no_positions() -> None:
    assert names(num_layers=0, position="none") == ["Token embedding", "LayerNorm", "Head"]
    assert ("Position embedding", "sinusoidal, 24 positions") in drawn(num_layers=0, position="sinusoidal")
