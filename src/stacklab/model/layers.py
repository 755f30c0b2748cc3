"""The parts of a layer: norm, attention, feed-forward. Shape suffixes: see shapes.py."""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stacklab.base.streams import stream_seed
from stacklab.model.ops.attention import attention
from stacklab.model.ops.dropout import dropout
from stacklab.model.ops.visibility import Visibility
from stacklab.model.parametrisation import attention_multiplier, identity_multiplier, residual_multiplier
from stacklab.model.positions import rotation
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
        self.k_BGSK: Tensor | None = None
        self.v_BGSK: Tensor | None = None

    def extend(self, k_BGTK: Tensor, v_BGTK: Tensor) -> tuple[Tensor, Tensor]:
        if self.k_BGSK is not None and self.v_BGSK is not None:
            k_BGTK, v_BGTK = torch.cat((self.k_BGSK, k_BGTK), 2), torch.cat((self.v_BGSK, v_BGTK), 2)
        self.k_BGSK, self.v_BGSK = k_BGTK, v_BGTK
        return k_BGTK, v_BGTK


class Attention(nn.Module):
    """Multi-head self-attention (Vaswani et al. 2017, section 3.2), causal or full, optionally within a window.

    A query at position i gives the key at j the score scale <q_i, k_j>, where scale is 1 / sqrt(K) or 1. With
    `attention_identity` it is scale <q_i, k_j> + a <x_i, x_j>, where a is trained, one number per head, and x_BTD is
    what this layer gets, normed if it has a norm before (Boix-Adsera et al. 2024, arXiv 2310.09753; as in
    their code, the identity is not scaled).

    The rows of `query_key_value` are those of all queries, then of the keys, then of the values; head by head in each.
    With fewer heads of keys and values, the first of them serves the first num_heads / num_kv_heads heads, and so on.
    """

    def __init__(self, spec: ModelSpec, layer: LayerSpec) -> None:
        super().__init__()
        self.num_heads, self.num_kv_heads = layer.num_heads, layer.num_kv_heads
        self.rotation = rotation(spec, layer.num_heads)
        self.visibility = Visibility(spec.mask, layer.window)
        usual = (spec.d_model // layer.num_heads) ** -0.5 if spec.attention_scale == "inverse_sqrt" else 1.0
        self.scale = usual * attention_multiplier(spec, layer)
        self.identity_scale = identity_multiplier(spec) / self.scale
        self.dropout = spec.attention_dropout
        head_size = spec.d_model // layer.num_heads
        rows = (layer.num_heads + 2 * layer.num_kv_heads) * head_size
        self.query_key_value = nn.Linear(spec.d_model, rows, bias=spec.linear_bias.query_key_value)
        self.identity_H = None if spec.attention_identity is None else nn.Parameter(torch.empty(layer.num_heads))
        self.output = nn.Linear(spec.d_model, spec.d_model, bias=spec.linear_bias.output)

    def forward(self, x_BTD: Tensor, seed: int | None) -> Tensor:
        q_BHTK, k_BHTK, v_BHTK = self._whole(x_BTD)
        rate = 0.0 if seed is None else self.dropout
        o_BHTK = attention(
            q_BHTK, k_BHTK, v_BHTK, dropout=rate, seed=seed or 0, visibility=self.visibility, scale=self.scale
        )
        return self._merge(o_BHTK)

    def probabilities(self, x_BTD: Tensor) -> Tensor:
        """a_BHTT: the share that each query gives each key, without dropout. Plain and slow, for looking at."""
        return torch.softmax(self.scores_and_values(x_BTD)[0], -1)

    def scores_and_values(self, x_BTD: Tensor) -> tuple[Tensor, Tensor]:
        """s_BHTT, -inf where a query does not see a key, and v_BHTK: what a softmax and a mean make the output from."""
        q_BHTK, k_BHTK, v_BHTK = self._whole(x_BTD)
        positions = torch.arange(x_BTD.shape[1], device=x_BTD.device)
        seen_TT = self.visibility.seen_TS(positions, positions)
        score_BHTT = q_BHTK @ k_BHTK.transpose(-1, -2) * self.scale
        return score_BHTT.masked_fill(~seen_TT, -torch.inf), v_BHTK

    def decode(self, x_BTD: Tensor, positions_BT: Tensor, cache: LayerCache, visible_BTS: Tensor) -> Tensor:
        """Attend from new positions to cached and new ones. visible_BTS: which keys each query may see, causally."""
        q_BHTK, k_BGTK, v_BGTK = self._project(x_BTD, positions_BT)
        k_BHSK, v_BHSK = (self._shared(each) for each in cache.extend(k_BGTK, v_BGTK))
        if self.visibility.window is not None:
            new, seen = visible_BTS.shape[1:]
            keys_S = torch.arange(seen, device=visible_BTS.device)
            visible_BTS = visible_BTS & self.visibility.seen_TS(keys_S[seen - new :], keys_S)
        o_BHTK = F.scaled_dot_product_attention(
            q_BHTK, k_BHSK, v_BHSK, attn_mask=visible_BTS[:, None], scale=self.scale
        )
        return self._merge(o_BHTK)

    def _whole(self, x_BTD: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values of sequences from their first position on, each for all heads."""
        q_BHTK, k_BGTK, v_BGTK = self._project(x_BTD, torch.arange(x_BTD.shape[1], device=x_BTD.device))
        return q_BHTK, self._shared(k_BGTK), self._shared(v_BGTK)

    def _project(self, x_BTD: Tensor, positions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values; the identity term makes queries and keys wider than values."""
        heads, kv_heads = self.num_heads, self.num_kv_heads
        every = self.query_key_value(x_BTD).unflatten(-1, (heads + 2 * kv_heads, -1))
        q_BTHK, k_BTGK, v_BTGK = every.split((heads, kv_heads, kv_heads), 2)
        if self.rotation is not None:
            q_BTHK, k_BTGK = self.rotation(q_BTHK, k_BTGK, positions)
        q_BHTK, k_BGTK, v_BGTK = (each.transpose(1, 2) for each in (q_BTHK, k_BTGK, v_BTGK))
        if self.identity_H is None:
            return q_BHTK, k_BGTK, v_BGTK
        # scale <(q, a x / scale), (k, x)> = scale <q, k> + a <x, x>, so that no kernel has to know of it.
        x_BHTD = x_BTD[:, None].expand(-1, heads, -1, -1).to(q_BHTK.dtype)
        weight_H11 = (self.identity_H * self.identity_scale).to(q_BHTK.dtype)[:, None, None]
        k_BGTK = torch.cat((k_BGTK, x_BHTD[:, :kv_heads]), -1)
        return torch.cat((q_BHTK, weight_H11 * x_BHTD), -1), k_BGTK, v_BGTK

    def _shared(self, y_BGTK: Tensor) -> Tensor:
        """Keys or values for every head of queries. Copies: torch's kernel for CPUs wants equally many."""
        each = self.num_heads // self.num_kv_heads
        return y_BGTK if each == 1 else y_BGTK.repeat_interleave(each, 1)

    def _merge(self, o_BHTK: Tensor) -> Tensor:
        merged: Tensor = self.output(o_BHTK.transpose(1, 2).flatten(2))
        return merged


class FeedForward(nn.Module):
    """Two linear maps with an activation between them, applied at each position.

    Where it is gated, the rows of `expand` are those of the gate, which the activation takes, then those it multiplies.
    """

    def __init__(self, spec: ModelSpec, layer: LayerSpec) -> None:
        super().__init__()
        self.activation = ACTIVATIONS[spec.activation]
        self.is_gated = spec.feed_forward == "gated"
        rows = 2 * layer.d_ff if self.is_gated else layer.d_ff
        self.expand = nn.Linear(spec.d_model, rows, bias=spec.linear_bias.feed_forward)
        self.output = nn.Linear(layer.d_ff, spec.d_model, bias=spec.linear_bias.feed_forward)

    def forward(self, x_BTD: Tensor) -> Tensor:
        y_BTD: Tensor = self.output(self._inner(self.expand(x_BTD)))
        return y_BTD

    def _inner(self, expanded: Tensor) -> Tensor:
        if not self.is_gated:
            return self.activation(expanded)
        gate_BTF, up_BTF = expanded.chunk(2, -1)
        return self.activation(gate_BTF) * up_BTF


class Block(nn.Module):
    """Attention then feed-forward, each around a residual, with the norm before (pre) or after (post) it, or none.

    Where d_ff is 0 there is attention alone.
    """

    def __init__(self, spec: ModelSpec, layer: LayerSpec) -> None:
        super().__init__()
        self.dropout = spec.dropout
        self.post_norm = spec.norm.placement == "post"
        self.residual_multiplier = residual_multiplier(spec)
        norms = nn.Identity if spec.norm.placement == "none" else partial(build_norm, spec)
        self.attention_norm = norms()
        self.attention = Attention(spec, layer)
        self.feed_forward_norm = norms() if layer.d_ff else nn.Identity()
        self.feed_forward = FeedForward(spec, layer) if layer.d_ff else None

    def forward(self, x_BTD: Tensor, seed: int | None, branch_scale: float = 1.0) -> Tensor:
        """`seed` addresses this layer's dropout stream; None evaluates. `branch_scale`: see ModelSpec.layer_drop."""
        attention_seed = None if seed is None else stream_seed(seed, "probabilities")
        branch_BTD = self.attention(self._before(x_BTD, self.attention_norm), attention_seed)
        x_BTD = self._add(x_BTD, branch_BTD, self.attention_norm, _site(seed, "attention"), branch_scale)
        return self._fed_forward(x_BTD, seed, branch_scale)

    def decode(self, x_BTD: Tensor, positions_BT: Tensor, cache: LayerCache, visible_BTS: Tensor) -> Tensor:
        before_BTD = self._before(x_BTD, self.attention_norm)
        branch_BTD = self.attention.decode(before_BTD, positions_BT, cache, visible_BTS)
        x_BTD = self._add(x_BTD, branch_BTD, self.attention_norm, None, 1.0)
        return self._fed_forward(x_BTD, None, 1.0)

    def attention_map(self, x_BTD: Tensor) -> Tensor:
        """a_BHTT of this block for its input."""
        return self.attention.probabilities(self._before(x_BTD, self.attention_norm))

    def _fed_forward(self, x_BTD: Tensor, seed: int | None, branch_scale: float) -> Tensor:
        if self.feed_forward is None:
            return x_BTD
        branch_BTD = self.feed_forward(self._before(x_BTD, self.feed_forward_norm))
        return self._add(x_BTD, branch_BTD, self.feed_forward_norm, _site(seed, "feed_forward"), branch_scale)

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


def build_norm(spec: ModelSpec) -> nn.Module:
    if spec.norm.kind == "rms":
        return nn.RMSNorm(spec.d_model, eps=spec.norm.epsilon)
    return nn.LayerNorm(spec.d_model, eps=spec.norm.epsilon, bias=spec.norm.bias)


def _site(seed: int | None, name: str) -> int | None:
    return None if seed is None else stream_seed(seed, name)
