"""A stack for transformers. This file travels with exported models and needs nothing but torch and transformers."""

import math
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import DynamicCache, GenerationMixin, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutputWithPast

from .configuration_stacklab import StacklabConfig

ACTIVATIONS: dict[str, Any] = {
    "gelu": F.gelu,
    "gelu_tanh": partial(F.gelu, approximate="tanh"),
    "relu": F.relu,
    "silu": F.silu,
}

STEPS = {
    "pre": ("norm", "branch", "add"),
    "post": ("branch", "add", "norm"),
    "none": ("branch", "add"),
    "sandwich": ("norm", "branch", "after_norm", "add"),
    "peri": ("norm", "branch", "after_norm", "add"),
    "reordered": ("branch", "norm", "add"),
}
"""What happens to the stream at a sub-layer, by placement of norms."""

KNOWN = {
    "position": ("learned", "sinusoidal", "none", "factored", "rotary"),
    "norm": ("layer", "rms"),
    "norm_placement": tuple(STEPS),
    "qk_norm": ("none", "head", "projection"),
    "activation": tuple(ACTIVATIONS),
}
"""Kinds that this file computes; any other is refused."""

PATTERNS = ("global", "strided", "block", "random_blocks")
"""Kinds of attention patterns that it computes."""


def check(config: StacklabConfig) -> None:
    kinds = {name: getattr(config, name) for name in KNOWN} | {"position": config.position["kind"]}
    for name, kind in kinds.items():
        if kind not in KNOWN[name]:
            raise ValueError(f"config: {name} is {kind!r}, expected one of {', '.join(KNOWN[name])}")
    patterns: list[Any] = config.layer_patterns or []
    for pattern in patterns:
        if pattern is not None and pattern["kind"] not in PATTERNS:
            raise ValueError(f"config: layer_patterns has {pattern['kind']!r}, expected {', '.join(PATTERNS)}")


def shown(pattern: dict[str, Any], query: Tensor, key: Tensor) -> Tensor:
    """Whether a pattern shows the keys at some positions to the queries at others."""
    size, distance = pattern["size"], (query - key).abs()
    if pattern["kind"] == "global":
        return (distance < size) | (query < pattern["tokens"]) | (key < pattern["tokens"])
    if pattern["kind"] == "strided":
        return (distance < size) | (distance % pattern["stride"] == 0)
    near = -1 if pattern["neighbours"] is None else pattern["neighbours"]
    if pattern["kind"] == "block":
        return (query // size - key // size).abs() <= near
    blocks, drawn = pattern["blocks"], torch.tensor(pattern["drawn"], device=query.device)
    query, key = (query // size).clip(0, blocks - 1), (key // size).clip(0, blocks - 1)
    first, last = pattern["global_blocks"], blocks - pattern["last_global_blocks"]
    seen = ((query - key).abs() <= near) | (query < first) | (key < first) | (query >= last) | (key >= last)
    for column in drawn:
        seen = seen | (column[query] == key)
    return seen


class StacklabFactoredRows(nn.Module):
    """Factored positions: a row for the slot, t mod period, and one for the group, t div period."""

    def __init__(self, config: StacklabConfig) -> None:
        super().__init__()
        self.period = config.position["period"]
        self.slot = nn.Embedding(self.period, config.hidden_size)
        self.group = nn.Embedding(-(-config.max_position_embeddings // self.period), config.hidden_size)

    def forward(self, positions: Tensor) -> Tensor:
        return self.slot(positions % self.period) + self.group(positions // self.period)


def sinusoids(positions: Tensor, width: int) -> Tensor:
    rates = torch.exp(torch.arange(0, width, 2, device=positions.device) * (-math.log(10_000.0) / width))
    angles = positions[..., None] * rates
    return torch.cat((angles.sin(), angles.cos()), -1)


def turned(x: Tensor, positions: Tensor, base: float) -> Tensor:
    """Rotary positions: number i of a head of K is paired with number i + K / 2."""
    size = x.shape[-1]
    exponents = torch.arange(0, size, 2, device=x.device, dtype=torch.float32) / size
    angles = (positions.float()[..., None] / base**exponents)[:, None]
    first, second = x.float().chunk(2, -1)
    cos, sin = angles.cos(), angles.sin()
    return torch.cat((first * cos - second * sin, second * cos + first * sin), -1).to(x.dtype)


def norm(config: StacklabConfig, width: int | None = None) -> nn.Module:
    width = width or config.hidden_size
    if config.norm == "rms":
        return nn.RMSNorm(width, eps=config.norm_epsilon)
    return nn.LayerNorm(width, eps=config.norm_epsilon, bias=config.norm_bias)


def sources(config: StacklabConfig, part: str) -> list[int]:
    """For each layer the layer that holds its attention or feed-forward."""
    return getattr(config, f"layer_{part}_of") or list(range(len(config.layer_heads)))


class StacklabAttention(nn.Module):
    def __init__(self, config: StacklabConfig, index: int) -> None:
        super().__init__()
        self.config = config
        self.heads, self.kv_heads = config.layer_heads[index], config.layer_kv_heads[index]
        self.scale, self.dropout = config.layer_scales[index], config.attention_dropout
        size = (width := config.hidden_size) // self.heads
        rows = (self.heads + 2 * self.kv_heads) * size
        self.query_key_value = nn.Linear(width, rows, bias=config.bias_query_key_value)
        self.query_norm = self.key_norm = None
        if config.qk_norm == "head":
            self.query_norm, self.key_norm = norm(config, size), norm(config, size)
        elif config.qk_norm == "projection":
            self.query_norm, self.key_norm = norm(config, self.heads * size), norm(config, self.kv_heads * size)
        self.identity_H = None if config.identity_scale is None else nn.Parameter(torch.zeros(self.heads))
        self.output = nn.Linear(width, width, bias=config.bias_output)

    def forward(self, x: Tensor, positions: Tensor, seen: Tensor, cache: Any, layer: int) -> Tensor:
        heads, kv_heads = self.heads, self.kv_heads
        every = self.query_key_value(x).unflatten(-1, (heads + 2 * kv_heads, -1)).transpose(1, 2)
        query, key, value = every.split((heads, kv_heads, kv_heads), 1)
        query, key = self._normed(self.query_norm, query), self._normed(self.key_norm, key)
        if self.config.position["kind"] == "rotary":
            base = self.config.position["base"]
            query, key = turned(query, positions, base), turned(key, positions, base)
        if self.identity_H is not None and self.config.identity_scale is not None:
            # scale <(q, a x / scale), (k, x)> = scale <q, k> + a <x, x>
            own = x[:, None].expand(-1, heads, -1, -1)
            weight = (self.identity_H * (self.config.identity_scale / self.scale))[:, None, None]
            query, key = torch.cat((query, weight * own), -1), torch.cat((key, own[:, :kv_heads]), -1)
        if cache is not None:
            key, value = cache.update(key, value, layer)
        key, value = (part.repeat_interleave(heads // kv_heads, 1) for part in (key, value))
        rate = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=seen, dropout_p=rate, scale=self.scale)
        return self.output(mixed.transpose(1, 2).flatten(2))

    def _normed(self, normed: nn.Module | None, x: Tensor) -> Tensor:
        """Queries or keys [B, heads, T, K] after their norm."""
        if normed is None or self.config.qk_norm == "head":
            return x if normed is None else normed(x)
        rows = x.transpose(1, 2)
        return normed(rows.flatten(2)).view(rows.shape).transpose(1, 2)


class StacklabFeedForward(nn.Module):
    def __init__(self, config: StacklabConfig, index: int) -> None:
        super().__init__()
        d_ff = config.layer_d_ff[index]
        self.activation, self.gated = ACTIVATIONS[config.activation], config.gated
        self.expand = nn.Linear(config.hidden_size, (1 + config.gated) * d_ff, bias=config.bias_feed_forward)
        self.output = nn.Linear(d_ff, config.hidden_size, bias=config.bias_feed_forward)

    def forward(self, x: Tensor) -> Tensor:
        inner = self.expand(x)
        if not self.gated:
            return self.output(self.activation(inner))
        gate, up = inner.chunk(2, -1)
        return self.output(self.activation(gate) * up)


PARTS: dict[str, Any] = {"attention": StacklabAttention, "feed_forward": StacklabFeedForward}


class StacklabBlock(nn.Module):
    """A layer. It holds the sub-layers that no layer below it holds for it."""

    def __init__(self, config: StacklabConfig, index: int) -> None:
        super().__init__()
        self.steps, self.index = STEPS[config.norm_placement], index
        self.multiplier, self.stream = config.residual_multiplier, config.stream_multiplier
        self.attention = self.feed_forward = None
        for part, kind in PARTS.items() if config.layer_d_ff[index] else [("attention", StacklabAttention)]:
            if sources(config, part)[index] == index:
                setattr(self, part, kind(config, index))
                for step in self.steps:
                    if step.endswith("norm"):
                        self.add_module(f"{part}_{step}", norm(config))
            if config.trained_residual:
                self.register_parameter(f"{part}_factor", nn.Parameter(torch.zeros(1)))
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, positions: Tensor, seen: Tensor, cache: Any, first: Any, second: Any) -> Tensor:
        """first, second: the blocks that hold the attention and the feed-forward of this layer."""
        x = self._around(x, "attention", first, lambda y: first.attention(y, positions, seen, cache, self.index))
        return x if second.feed_forward is None else self._around(x, "feed_forward", second, second.feed_forward)

    def _around(self, x: Tensor, part: str, holder: nn.Module, branch: Any) -> Tensor:
        y = x
        for step in self.steps:
            if step == "branch":
                y = self.dropout(branch(y))
            elif step == "add":
                y = self.stream * x + self.multiplier * getattr(self, f"{part}_factor", 1.0) * y
            else:
                y = getattr(holder, f"{part}_{step}")(y)
        return y


class StacklabForCausalLM(PreTrainedModel, GenerationMixin):
    """Predicts the next token. Padding on the left is hidden, and positions count from the first real token."""

    config_class = StacklabConfig
    _tied_weights_keys = {"head.weight": "token_embedding.weight"}  # noqa: RUF012 (as the base class has it)
    _supports_sdpa = True

    def __init__(self, config: StacklabConfig) -> None:
        super().__init__(config)
        check(config)
        width = config.hidden_size
        self.token_embedding = nn.Embedding(config.vocab_size, width)
        self.position_embedding: nn.Module | None = None
        if config.position["kind"] == "learned":
            self.position_embedding = nn.Embedding(config.max_position_embeddings, width)
        elif config.position["kind"] == "factored":
            self.position_embedding = StacklabFactoredRows(config)
        self.embedding_norm = norm(config) if config.norm_placement == "peri" else nn.Identity()
        self.blocks = nn.ModuleList(StacklabBlock(config, index) for index in range(len(config.layer_heads)))
        self.attention_of, self.feed_forward_of = sources(config, "attention"), sources(config, "feed_forward")
        self.final_norm = norm(config) if config.final_norm else nn.Identity()
        self.head = nn.Linear(width, config.vocab_size, bias=False)
        self.dropout = nn.Dropout(config.dropout)
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        return self.token_embedding

    def get_output_embeddings(self) -> nn.Module:
        return self.head

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Any = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int = 0,
        **_: Any,
    ) -> CausalLMOutputWithPast:
        rows = self.token_embedding(input_ids) if inputs_embeds is None else inputs_embeds
        keep = self.config.use_cache if use_cache is None else use_cache
        if keep and past_key_values is None:
            past_key_values = DynamicCache()
        past = 0 if past_key_values is None else past_key_values.get_seq_length()
        places = torch.arange(past, past + rows.shape[1], device=rows.device)
        if position_ids is None:
            position_ids = self._positions(places, attention_mask)
        x = self.dropout(self._placed(rows, position_ids))
        for index, (first, second) in enumerate(zip(self.attention_of, self.feed_forward_of, strict=True)):
            seen = self._seen(places, attention_mask, index)
            x = self.blocks[index](x, position_ids, seen, past_key_values, self.blocks[first], self.blocks[second])
        x = self.final_norm(x) * self.config.logit_multiplier
        logits = self.head(x[:, -logits_to_keep:] if logits_to_keep else x)
        loss = None if labels is None else self.loss_function(logits, labels, vocab_size=self.config.vocab_size)
        return CausalLMOutputWithPast(loss=loss, logits=logits, past_key_values=past_key_values if keep else None)

    def _placed(self, rows: Tensor, positions: Tensor) -> Tensor:
        if self.config.position["kind"] == "sinusoidal":
            rows = rows + sinusoids(positions, rows.shape[-1]).to(rows.dtype)
        elif self.position_embedding is not None:
            rows = rows + self.position_embedding(positions)
        return self.embedding_norm(rows)

    @staticmethod
    def _positions(places: Tensor, mask: Tensor | None) -> Tensor:
        """[B, T]; [1, T] without a mask."""
        return places[None] if mask is None else (mask.long().cumsum(-1) - 1).clamp(min=0)[:, -len(places) :]

    def _seen(self, places: Tensor, mask: Tensor | None, index: int) -> Tensor:
        """[B or 1, 1, T, S]: which keys each query of a layer sees. A padding query sees itself: its softmax exists."""
        window, patterns = self.config.layer_windows[index], self.config.layer_patterns
        keys = torch.arange(int(places[-1]) + 1, device=places.device)
        back = places[:, None] - keys
        seen = back >= 0 if window is None else (back >= 0) & (back < window)
        if mask is not None and mask.ndim != 2:
            raise ValueError(f"attention_mask must be [batch, keys], got {tuple(mask.shape)}; use a dynamic cache")
        if patterns is not None and (pattern := patterns[index]) is not None:
            queries, every = self._positions(places, mask), self._positions(keys, mask)
            seen = seen & shown(pattern, queries[:, :, None], every[:, None])
        if mask is None:
            return seen.view(1, 1, len(places), len(keys))
        return (seen & mask[:, None, : len(keys)].bool() | (back == 0))[:, None]
