"""The parts of a layer: norm, attention, feed-forward. Shape suffixes: see shapes.py."""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stacklab.base.streams import stream_seed
from stacklab.model.ops.attention import causal_attention
from stacklab.model.ops.dropout import dropout
from stacklab.model.parametrisation import attention_multiplier, residual_multiplier
from stacklab.model.spec import LayerSpec, ModelSpec

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,
    "gelu_tanh": partial(F.gelu, approximate="tanh"),
    "relu": F.relu,
    "silu": F.silu,
}


class LayerCache:
    """Keys and values of the positions already seen by one layer, for decoding."""

    def __init__(self) -> None:
        self.k_BHSK: Tensor | None = None
        self.v_BHSK: Tensor | None = None

    def extend(self, k_BHTK: Tensor, v_BHTK: Tensor) -> tuple[Tensor, Tensor]:
        if self.k_BHSK is not None and self.v_BHSK is not None:
            k_BHTK, v_BHTK = torch.cat((self.k_BHSK, k_BHTK), 2), torch.cat((self.v_BHSK, v_BHTK), 2)
        self.k_BHSK, self.v_BHSK = k_BHTK, v_BHTK
        return k_BHTK, v_BHTK


class Attention(nn.Module):
    """Causal multi-head self-attention (Vaswani et al. 2017, section 3.2), optionally within a window."""

    def __init__(self, spec: ModelSpec, layer: LayerSpec) -> None:
        super().__init__()
        self.num_heads = layer.num_heads
        self.window = layer.window
        self.dropout = spec.attention_dropout
        self.scale = (spec.d_model // layer.num_heads) ** -0.5 * attention_multiplier(spec, layer)
        self.query_key_value = nn.Linear(spec.d_model, 3 * spec.d_model, bias=spec.linear_bias)
        self.output = nn.Linear(spec.d_model, spec.d_model, bias=spec.linear_bias)

    def forward(self, x_BTD: Tensor, seed: int | None) -> Tensor:
        q_BHTK, k_BHTK, v_BHTK = self._project(x_BTD)
        rate = 0.0 if seed is None else self.dropout
        o_BHTK = causal_attention(
            q_BHTK, k_BHTK, v_BHTK, dropout=rate, seed=seed or 0, window=self.window, scale=self.scale
        )
        return self._merge(o_BHTK)

    def decode(self, x_BTD: Tensor, cache: LayerCache, visible_BTS: Tensor) -> Tensor:
        """Attend from new positions to cached and new ones. visible_BTS: which keys each query may see, causally."""
        q_BHTK, k_BHTK, v_BHTK = self._project(x_BTD)
        k_BHSK, v_BHSK = cache.extend(k_BHTK, v_BHTK)
        if self.window is not None:
            new, seen = visible_BTS.shape[1:]
            age_TS = torch.arange(seen - new, seen)[:, None] - torch.arange(seen)
            visible_BTS = visible_BTS & (age_TS < self.window).to(visible_BTS.device)
        mask_BHTS = visible_BTS[:, None]
        o_BHTK = F.scaled_dot_product_attention(q_BHTK, k_BHSK, v_BHSK, attn_mask=mask_BHTS, scale=self.scale)
        return self._merge(o_BHTK)

    def _project(self, x_BTD: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        heads = self.query_key_value(x_BTD).unflatten(-1, (3, self.num_heads, -1))
        q_BHTK, k_BHTK, v_BHTK = heads.permute(2, 0, 3, 1, 4).unbind(0)
        return q_BHTK, k_BHTK, v_BHTK

    def _merge(self, o_BHTK: Tensor) -> Tensor:
        merged: Tensor = self.output(o_BHTK.transpose(1, 2).flatten(2))
        return merged


class FeedForward(nn.Module):
    """Two linear maps with an activation between them, applied at each position."""

    def __init__(self, spec: ModelSpec, layer: LayerSpec) -> None:
        super().__init__()
        self.activation = ACTIVATIONS[spec.activation]
        self.expand = nn.Linear(spec.d_model, layer.d_ff, bias=spec.linear_bias)
        self.output = nn.Linear(layer.d_ff, spec.d_model, bias=spec.linear_bias)

    def forward(self, x_BTD: Tensor) -> Tensor:
        y_BTD: Tensor = self.output(self.activation(self.expand(x_BTD)))
        return y_BTD


class Block(nn.Module):
    """Attention then feed-forward, each around a residual, with the norm before (pre) or after (post) it."""

    def __init__(self, spec: ModelSpec, layer: LayerSpec) -> None:
        super().__init__()
        self.dropout = spec.dropout
        self.post_norm = spec.norm.placement == "post"
        self.residual_multiplier = residual_multiplier(spec)
        self.attention_norm = layer_norm(spec)
        self.attention = Attention(spec, layer)
        self.feed_forward_norm = layer_norm(spec)
        self.feed_forward = FeedForward(spec, layer)

    def forward(self, x_BTD: Tensor, seed: int | None, branch_scale: float = 1.0) -> Tensor:
        """`seed` addresses this layer's dropout stream; None evaluates. `branch_scale`: see ModelSpec.layer_drop."""
        attention_seed = None if seed is None else stream_seed(seed, "probabilities")
        branch_BTD = self.attention(self._before(x_BTD, self.attention_norm), attention_seed)
        x_BTD = self._add(x_BTD, branch_BTD, self.attention_norm, _site(seed, "attention"), branch_scale)
        branch_BTD = self.feed_forward(self._before(x_BTD, self.feed_forward_norm))
        return self._add(x_BTD, branch_BTD, self.feed_forward_norm, _site(seed, "feed_forward"), branch_scale)

    def decode(self, x_BTD: Tensor, cache: LayerCache, visible_BTS: Tensor) -> Tensor:
        branch_BTD = self.attention.decode(self._before(x_BTD, self.attention_norm), cache, visible_BTS)
        x_BTD = self._add(x_BTD, branch_BTD, self.attention_norm, None, 1.0)
        branch_BTD = self.feed_forward(self._before(x_BTD, self.feed_forward_norm))
        return self._add(x_BTD, branch_BTD, self.feed_forward_norm, None, 1.0)

    def _before(self, x_BTD: Tensor, norm: nn.Module) -> Tensor:
        if self.post_norm:
            return x_BTD
        normed_BTD: Tensor = norm(x_BTD)
        return normed_BTD

    def _add(self, x_BTD: Tensor, branch_BTD: Tensor, norm: nn.Module, seed: int | None, scale: float) -> Tensor:
        if seed is not None:
            branch_BTD = dropout(branch_BTD, self.dropout, seed)
        scale *= self.residual_multiplier
        sum_BTD = x_BTD + (branch_BTD if scale == 1.0 else branch_BTD * scale)
        return norm(sum_BTD) if self.post_norm else sum_BTD


def layer_norm(spec: ModelSpec) -> nn.LayerNorm:
    return nn.LayerNorm(spec.d_model, eps=spec.norm.epsilon, bias=spec.norm.bias)


def _site(seed: int | None, name: str) -> int | None:
    return None if seed is None else stream_seed(seed, name)
