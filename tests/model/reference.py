"""The stack once more, slowly: float64, one sequence, head and position at a time, straight from the formulas."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from stacklab.model.positions.kinds import FactoredPositions, RotaryPositions
from stacklab.model.spec import LayerSpec, ModelSpec

ACTIVATIONS = {
    "gelu": lambda x: x * 0.5 * (1 + torch.erf(x / math.sqrt(2))),
    "gelu_tanh": lambda x: 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    "relu": lambda x: x.clamp(min=0),
    "silu": lambda x: x / (1 + torch.exp(-x)),
}
SHOWS: dict[str, Callable[[Any, int, int], bool]] = {
    "global": lambda p, t, s: abs(t - s) < p.size or min(t, s) < p.tokens,
    "strided": lambda p, t, s: (t - s) % p.stride == 0 or abs(t - s) < p.size,
    "block": lambda p, t, s: abs(t // p.size - s // p.size) <= p.neighbours,
}
"""Whether the query at t sees the key at s, where the mask shows both."""

PARTS = ("attention", "feed_forward")


class Reference:
    """Computes logits from the named weights of a model."""

    def __init__(self, spec: ModelSpec, weights: Mapping[str, Tensor]) -> None:
        self.spec, self.weights = spec, weights

    def logits(self, ids_BT: Tensor) -> Tensor:
        return torch.stack([self._sequence(ids.tolist()) for ids in ids_BT])

    def _sequence(self, ids: list[int]) -> Tensor:
        table = self.weights["token_embedding.weight"]
        x = torch.stack([table[token] + self._position(t) for t, token in enumerate(ids)])
        if self.spec.norm.placement == "peri":
            x = self._norm(x, "embedding_norm")
        for index, layer in enumerate(self.spec.layers):
            attention, feed_forward = (f"blocks.{self._held(index, part)}.{part}" for part in PARTS)
            x = self._branch(x, attention, lambda y, at, layer=layer: self._attention(y, at, layer))
            if layer.d_ff > 0:
                x = self._branch(x, feed_forward, self._feed_forward)
        final = self.spec.norm.final
        if final is True or (final is None and self.spec.norm.placement not in ("post", "none")):
            x = self._norm(x, "final_norm")
        return x @ (table if self.spec.tie_embeddings else self.weights["head.weight"]).T

    def _held(self, index: int, part: str) -> int:
        """The number of the layer after which the weights of this layer are named."""
        share = self.spec.share
        if share is None or share.part not in ("layer", part):
            return index
        blocks = share.of_layers(self.spec.num_layers)
        return min(other for other in range(index + 1) if blocks[other] == blocks[index])

    def _position(self, t: int) -> Tensor:
        position, width = self.spec.position, self.spec.d_model
        if isinstance(position, FactoredPositions):
            slot, group = (self.weights[f"position_embedding.{part}.weight"] for part in ("slot", "group"))
            return slot[t % position.period] + group[t // position.period]
        if position.kind == "learned":
            return self.weights["position_embedding.weight"][t]
        if position.kind in ("none", "rotary"):
            return torch.zeros(width, dtype=torch.float64)
        angles = [t / 10_000 ** (pair / width) for pair in range(0, width, 2)]
        return torch.tensor([*map(math.sin, angles), *map(math.cos, angles)], dtype=torch.float64)

    def _branch(self, x: Tensor, name: str, sublayer) -> Tensor:  # type: ignore[no-untyped-def]
        placement = self.spec.norm.placement
        y = self._norm(x, f"{name}_norm") if placement in ("pre", "sandwich", "peri") else x
        y = sublayer(y, name)
        if placement in ("sandwich", "peri"):
            y = self._norm(y, f"{name}_after_norm")
        if placement == "reordered":
            y = self._norm(y, f"{name}_norm")
        x = self._joined(x, y, name)
        return self._norm(x, f"{name}_norm") if placement == "post" else x

    def _joined(self, x: Tensor, y: Tensor, name: str) -> Tensor:
        parts = sum(1 + (layer.d_ff > 0) for layer in self.spec.layers)
        if self.spec.residual.kind == "depth_scaled":
            return x + y / math.sqrt(parts)
        if self.spec.residual.kind == "deepnorm":
            return parts**0.25 * x + y
        if self.spec.residual.kind == "rezero":
            return x + self.weights[f"{name}_factor"] * y
        return x + y

    def _norm(self, x: Tensor, name: str) -> Tensor:
        centred = x if self.spec.norm.kind == "rms" else x - x.mean(-1, keepdim=True)
        scaled = centred / (centred.square().mean(-1, keepdim=True) + self.spec.norm.epsilon).sqrt()
        return scaled * self.weights[f"{name}.weight"] + self.weights.get(f"{name}.bias", 0.0)

    def _linear(self, x: Tensor, name: str) -> Tensor:
        return x @ self.weights[f"{name}.weight"].T + self.weights.get(f"{name}.bias", 0.0)

    def _attention(self, x: Tensor, name: str, layer: LayerSpec) -> Tensor:
        qkv = self._linear(x, f"{name}.query_key_value")
        size, q_heads, kv_heads = self.spec.d_model // layer.num_heads, layer.num_heads, layer.num_kv_heads
        if self.spec.qk_norm == "projection":
            q, k, v = qkv.split([size * q_heads, size * kv_heads, size * kv_heads], -1)
            q, k = self._norm(q, f"{name}.query_norm"), self._norm(k, f"{name}.key_norm")
            qkv = torch.cat((q, k, v), -1)
        heads = []
        for head in range(q_heads):
            at = head // (q_heads // kv_heads)
            q, k, v = (qkv[:, size * n : size * (n + 1)] for n in (head, q_heads + at, q_heads + kv_heads + at))
            if self.spec.qk_norm == "head":
                q, k = self._norm(q, f"{name}.query_norm"), self._norm(k, f"{name}.key_norm")
            q, k = self._turned(q), self._turned(k)
            rows = [self._mix(x, q, k, v, t, name, head, layer) for t in range(len(x))]
            heads.append(torch.stack(rows))
        return self._linear(torch.cat(heads, -1), f"{name}.output")

    def _turned(self, rows: Tensor) -> Tensor:
        """Each pair of numbers as a complex one, times e^(i t rate)."""
        position, size = self.spec.position, rows.shape[-1]
        if not isinstance(position, RotaryPositions):
            return rows
        turned = []
        for t, row in enumerate(rows):
            pairs = torch.complex(row[: size // 2], row[size // 2 :])
            angles = torch.tensor([t * position.base ** (-2 * i / size) for i in range(size // 2)], dtype=torch.float64)
            pairs = pairs * torch.polar(torch.ones_like(angles), angles)
            turned.append(torch.cat((pairs.real, pairs.imag)))
        return torch.stack(turned)

    def _mix(
        self, x: Tensor, q: Tensor, k: Tensor, v: Tensor, t: int, name: str, head: int, layer: LayerSpec
    ) -> Tensor:
        """What one head gives position t."""
        seen = range(len(x)) if self.spec.mask == "full" else range(t + 1)
        if layer.window is not None:
            seen = [s for s in seen if abs(t - s) < layer.window]  # type: ignore[assignment]
        if layer.attention_pattern is not None:
            seen = [s for s in seen if SHOWS[layer.attention_pattern.kind](layer.attention_pattern, t, s)]  # type: ignore[assignment]
        scores = []
        for s in seen:
            score = q[t] @ k[s]
            if self.spec.attention_scale == "inverse_sqrt":
                score = score / math.sqrt(q.shape[-1])
            if self.spec.attention_identity is not None:
                score = score + self.weights[f"{name}.identity_H"][head] * (x[t] @ x[s])
            scores.append(score)
        shares = torch.stack(scores).exp()
        return (shares / shares.sum()) @ v[list(seen)]

    def _feed_forward(self, x: Tensor, name: str) -> Tensor:
        inner, act = self._linear(x, f"{name}.expand"), ACTIVATIONS[self.spec.activation]
        if self.spec.feed_forward == "gated":
            gate, up = inner.chunk(2, -1)
            return self._linear(act(gate) * up, f"{name}.output")
        return self._linear(act(inner), f"{name}.output")
