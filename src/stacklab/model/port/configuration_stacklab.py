"""Settings of a stack for transformers. This file travels with exported models and needs nothing but transformers."""

from typing import Any

from transformers import PreTrainedConfig

OPTIONAL = ("layer_patterns", "layer_attention_of", "layer_feed_forward_of")
"""Lists that are left out of the file where they say nothing."""


class StacklabConfig(PreTrainedConfig):
    """A decoder-only stack whose layers may differ in heads, feed-forward width and window.

    layer_heads, layer_kv_heads, layer_d_ff, layer_windows, layer_scales: one value for each layer. A window of None is
    no window, a d_ff of 0 no feed-forward; scales multiply queries times keys.
    layer_patterns: for each layer with another pattern than a window a dictionary, None for the others; None for none.
    Its "kind" is "global", "strided", "block" or "random_blocks"; the rest are settings, and of random blocks those
    "drawn", a row for each draw with one of every block of queries, and the number of "blocks".
    layer_attention_of, layer_feed_forward_of: for each layer the layer whose weights it uses, at most its own number;
    None for its own.
    position: {"kind": "learned", "sinusoidal", "none", "factored" (with "period") or "rotary" (with "base")}.
    norm: "layer" or "rms"; norm_placement: "pre", "post", "none", "sandwich", "peri" or "reordered".
    qk_norm: norm of queries and keys, "none", of each "head" or of the whole "projection".
    residual_multiplier, stream_multiplier: factors of a branch and of the stream that it is added to; trained_residual:
    a trained number for each branch multiplies it too.
    identity_scale: factor of the trained identity term of attention, or None.
    stack: the stacklab settings from which the others were derived; read by stacklab only.
    """

    model_type = "stacklab"
    layer_patterns = layer_attention_of = layer_feed_forward_of = None

    def __init__(
        self,
        *,
        vocab_size: int = 2,
        hidden_size: int = 2,
        max_position_embeddings: int = 1,
        layer_heads: list[int] | None = None,
        layer_kv_heads: list[int] | None = None,
        layer_d_ff: list[int] | None = None,
        layer_windows: list[int | None] | None = None,
        layer_patterns: list[dict[str, Any] | None] | None = None,
        layer_scales: list[float] | None = None,
        layer_attention_of: list[int] | None = None,
        layer_feed_forward_of: list[int] | None = None,
        position: dict[str, Any] | None = None,
        activation: str = "gelu",
        gated: bool = False,
        bias_query_key_value: bool = False,
        bias_output: bool = False,
        bias_feed_forward: bool = False,
        norm: str = "layer",
        norm_placement: str = "pre",
        norm_bias: bool = True,
        norm_epsilon: float = 1e-5,
        final_norm: bool = True,
        identity_scale: float | None = None,
        qk_norm: str = "none",
        residual_multiplier: float = 1.0,
        stream_multiplier: float = 1.0,
        trained_residual: bool = False,
        logit_multiplier: float = 1.0,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        stack: dict[str, Any] | None = None,
        **others: Any,
    ) -> None:
        self.vocab_size, self.hidden_size = vocab_size, hidden_size
        self.max_position_embeddings = max_position_embeddings
        self.layer_heads, self.layer_kv_heads = layer_heads or [], layer_kv_heads or []
        self.layer_d_ff, self.layer_windows = layer_d_ff or [], layer_windows or []
        lists = layer_patterns, layer_attention_of, layer_feed_forward_of
        self.__dict__.update({name: of for name, of in zip(OPTIONAL, lists, strict=True) if of is not None})
        self.layer_scales = layer_scales or []
        self.position = position or {"kind": "none"}
        self.activation, self.gated = activation, gated
        self.bias_query_key_value, self.bias_output = bias_query_key_value, bias_output
        self.bias_feed_forward = bias_feed_forward
        self.norm, self.norm_placement, self.norm_bias = norm, norm_placement, norm_bias
        self.norm_epsilon, self.final_norm = norm_epsilon, final_norm
        self.identity_scale = identity_scale
        self.qk_norm = qk_norm
        self.residual_multiplier, self.stream_multiplier = residual_multiplier, stream_multiplier
        self.trained_residual, self.logit_multiplier = trained_residual, logit_multiplier
        self.dropout, self.attention_dropout = dropout, attention_dropout
        self.stack = stack
        self.num_hidden_layers = len(self.layer_heads)
        self.use_cache = others.pop("use_cache", True)
        others.pop("num_hidden_layers", None)
        super().__init__(**others)
