"""Small models: settings that they share, and what causal ones differ in."""

from typing import Any

from stacklab.model.spec import InitSpec, ModelSpec, NormSpec

SMALL: dict[str, Any] = {
    "vocab_size": 31,
    "d_model": 16,
    "num_layers": 3,
    "num_heads": 2,
    "context_length": 12,
    "dropout": 0.2,
    "attention_dropout": 0.2,
    "init": InitSpec(std=0.3),
}
CAUSAL: list[dict[str, Any]] = [
    {},
    {"window": 3},
    {"position": "sinusoidal"},
    {"norm": NormSpec(placement="post")},
    {"d_ff": [0, 64, 0]},
    {"norm": NormSpec(placement="none", final=True), "attention_scale": "none"},
    {"position": {"kind": "factored", "period": 5}, "linear_bias": {"output": True}},
    {"attention_identity": 0.2, "num_heads": [1, 2, 4], "window": [None, 3, None]},
    {"token_table": "frozen", "tie_embeddings": False},
    {"norm": NormSpec(kind="rms"), "feed_forward": "gated"},
    {"position": "rotary", "window": 3},
    {"position": "rotary", "num_heads": [1, 4, 2], "num_kv_heads": [1, 2, 1]},
    {"num_kv_heads": 1, "attention_identity": 0.2},
    {"share": [0, 1, 0], "window": [3, None, 3]},
    {"share": {"part": "attention", "cycle": 1}, "position": "rotary"},
    {"norm": NormSpec(placement="peri"), "qk_norm": "projection", "num_kv_heads": 1, "position": "rotary"},
    {"norm": NormSpec(placement="reordered", kind="rms"), "qk_norm": "head", "residual": "depth_scaled"},
    {"norm": NormSpec(placement="post"), "residual": "deepnorm"},
    {
        "window": [None, 3, None],
        "attention_pattern": [{"kind": "global", "size": 2}, None, {"kind": "strided", "stride": 3}],
    },
    {"attention_pattern": {"kind": "random_blocks", "size": 2, "neighbours": 0, "random": 1}, "position": "rotary"},
    {"attention_pattern": [None, {"kind": "block", "size": 4}, None]},
]

STACKABLE = ModelSpec(vocab_size=7, d_model=8, num_layers=1, num_heads=2, dropout=0.0, attention_dropout=0.0)
"""One that can be trained in a stack of models."""
