"""Multi-head self-attention. Shape suffixes: see shapes.py."""

import torch
from torch import Tensor, nn

from stacklab.model.cache import LayerDecoding
from stacklab.model.linear import Linear, build_norm
from stacklab.model.masks import Visibility, record_starts
from stacklab.model.ops.attention import attention, attention_scores
from stacklab.model.parametrisation import attention_multiplier, identity_multiplier
from stacklab.model.positions.build import Heads, positions_in_attention
from stacklab.model.spec import LayerSpec, ModelSpec


class Attention(nn.Module):
    """Multi-head self-attention (Vaswani et al. 2017, section 3.2), under a mask, optionally within a window.

    The score of the query at position i for the key at j is scale <q_i, k_j>, where scale is 1 / sqrt(K) or 1. With
    `attention_identity` it is scale <q_i, k_j> + a <x_i, x_j>, where a is a trained number per head and x_BTD the input
    of this layer, after the norm before it if there is one (Boix-Adsera et al. 2024, arXiv 2310.09753; as in their
    code, the identity is not scaled).

    The rows of `query_key_value` are those of all queries, then of the keys, then of the values; head by head in each.
    With fewer heads of keys and values, the first of them serves the first num_heads / num_kv_heads heads, and so on.
    `qk_norm`: see ModelSpec.
    """

    def __init__(self, spec: ModelSpec, layer: LayerSpec) -> None:
        super().__init__()
        self.num_heads, self.num_kv_heads = layer.num_heads, layer.num_kv_heads
        self.visibility = Visibility(spec.mask, layer.window)
        head_size = spec.d_model // layer.num_heads
        usual = head_size**-0.5 if spec.attention_scale == "inverse_sqrt" else 1.0
        self.scale = usual * attention_multiplier(spec, layer)
        self.positions = positions_in_attention(spec.position, Heads(layer.num_heads, head_size, self.scale))
        self.identity_scale = identity_multiplier(spec) / self.scale
        self.dropout = spec.attention_dropout
        rows = (layer.num_heads + 2 * layer.num_kv_heads) * head_size
        self.query_key_value = Linear(spec.d_model, rows, bias=spec.linear_bias.query_key_value)
        self.norms_heads = spec.qk_norm == "head"
        self.query_norm, self.key_norm = (
            _head_norm(spec, heads, head_size) for heads in (layer.num_heads, layer.num_kv_heads)
        )
        self.identity_H = None if spec.attention_identity is None else nn.Parameter(torch.empty(layer.num_heads))
        self.output = Linear(spec.d_model, spec.d_model, bias=spec.linear_bias.output)

    def forward(
        self,
        x_BTD: Tensor,
        seed: int | None,
        decoding: LayerDecoding | None = None,
        positions_BT: Tensor | None = None,
    ) -> Tensor:
        """softmax(scale q k^T) v by head over the visible keys, merged by a linear map; y_BTD.

        `seed` addresses the dropout of the probabilities; None evaluates. With `decoding`, x_BTD holds the newest
        positions only, and the keys and values of the earlier ones come from its cache. With `positions_BT`, sequences
        are packed records that do not see each other: see Transformer.forward.
        """
        q_BTHK, k_BTGK, v_BTGK = self.project(x_BTD)
        q_BTHK, k_BTGK = self.positioned(q_BTHK, k_BTGK, positions_BT if decoding is None else decoding.positions_BT)
        q_BHTK, k_BGTK, v_BGTK = (each.transpose(1, 2) for each in (q_BTHK, k_BTGK, v_BTGK))
        q_BHTK, k_BGTK = self.with_identity(q_BHTK, k_BGTK, x_BTD)
        k_BGSK, v_BGSK = (k_BGTK, v_BGTK) if decoding is None else decoding.cache.extend(k_BGTK, v_BGTK)
        o_BHTK = attention(
            q_BHTK,
            self.for_all_heads(k_BGSK),
            self.for_all_heads(v_BGSK),
            scale=self.scale,
            visibility=self.visibility,
            visible_BTS=None if decoding is None else decoding.visible_BTS,
            records_BT=None if positions_BT is None else record_starts(positions_BT),
            dropout=0.0 if seed is None else self.dropout,
            seed=seed or 0,
        )
        y_BTD: Tensor = self.output(o_BHTK.transpose(1, 2).flatten(2))
        return y_BTD

    def project(self, x_BTD: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """q_BTHK, k_BTGK and v_BTGK: the output of the linear map, by head, with queries and keys normed."""
        heads, kv_heads = self.num_heads, self.num_kv_heads
        rows = self.query_key_value(x_BTD).unflatten(-1, (heads + 2 * kv_heads, -1))
        q_BTHK, k_BTGK, v_BTGK = rows.split((heads, kv_heads, kv_heads), 2)
        return self._normed(self.query_norm, q_BTHK), self._normed(self.key_norm, k_BTGK), v_BTGK

    def _normed(self, norm: nn.Module | None, y_BTHK: Tensor) -> Tensor:
        """Queries or keys, normed over each head or over all heads together, in the format of products."""
        if norm is None:
            return y_BTHK
        rows: Tensor = norm(y_BTHK if self.norms_heads else y_BTHK.flatten(2))
        return rows.view(y_BTHK.shape).to(y_BTHK.dtype)

    def positioned(self, q_BTHK: Tensor, k_BTGK: Tensor, positions: Tensor | None) -> tuple[Tensor, Tensor]:
        """Queries and keys after the action of positions, if any. positions: None means 0, 1, 2, ..."""
        if self.positions is None:
            return q_BTHK, k_BTGK
        if positions is None:
            positions = torch.arange(q_BTHK.shape[1], device=q_BTHK.device)
        return self.positions(q_BTHK, k_BTGK, positions)

    def with_identity(self, q_BHTK: Tensor, k_BGTK: Tensor, x_BTD: Tensor) -> tuple[Tensor, Tensor]:
        """Queries and keys extended by the identity term, if there is one: they become wider than values.

        scale <(q, a x / scale), (k, x)> = scale <q, k> + a <x, x>, so kernels need no support for it.
        """
        if self.identity_H is None:
            return q_BHTK, k_BGTK
        x_BHTD = x_BTD[:, None].expand(-1, self.num_heads, -1, -1).to(q_BHTK.dtype)
        weight_H11 = (self.identity_H * self.identity_scale).to(q_BHTK.dtype)[:, None, None]
        k_BGTK = torch.cat((k_BGTK, x_BHTD[:, : self.num_kv_heads]), -1)
        return torch.cat((q_BHTK, weight_H11 * x_BHTD), -1), k_BGTK

    def for_all_heads(self, y_BGTK: Tensor) -> Tensor:
        """Keys or values repeated for every head of queries. Copies, since torch's CPU kernel needs equal numbers."""
        each = self.num_heads // self.num_kv_heads
        return y_BGTK if each == 1 else y_BGTK.repeat_interleave(each, 1)

    def scores_and_values(self, x_BTD: Tensor) -> tuple[Tensor, Tensor]:
        """s_BHTT, -inf where a query does not see a key, and v_BHTK: the heads' output is softmax(s) v.

        Without dropout. Slow, for inspection.
        """
        q_BTHK, k_BTGK, v_BTGK = self.project(x_BTD)
        q_BTHK, k_BTGK = self.positioned(q_BTHK, k_BTGK, None)
        q_BHTK, k_BGTK = self.with_identity(q_BTHK.transpose(1, 2), k_BTGK.transpose(1, 2), x_BTD)
        scores_BHTT = attention_scores(q_BHTK, self.for_all_heads(k_BGTK), visibility=self.visibility, scale=self.scale)
        return scores_BHTT, self.for_all_heads(v_BTGK.transpose(1, 2))

    def probabilities(self, x_BTD: Tensor) -> Tensor:
        """a_BHTT: the attention of each query to each key, without dropout. Slow, for inspection."""
        return torch.softmax(self.scores_and_values(x_BTD)[0], -1)


def _head_norm(spec: ModelSpec, heads: int, head_size: int) -> nn.Module | None:
    """The norm of the queries or keys of `heads` heads."""
    if spec.qk_norm == "none":
        return None
    return build_norm(spec.norm, head_size if spec.qk_norm == "head" else heads * head_size)
