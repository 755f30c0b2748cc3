"""One layer of many equal-shaped small stacks. See transformer.py; the replicas R are the first axis."""

from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from stacklab.model.feed_forward import ACTIVATIONS
from stacklab.model.masks import Visibility
from stacklab.model.residual import PlacementName
from stacklab.model.spec import LayerSpec, ModelSpec
from stacklab.model.stacked.ops import attend, linear, read
from stacklab.model.stacked.rows import Parameters, Rows, affine, folded, normed

NORMS: dict[PlacementName, tuple[bool, bool]] = {"pre": (True, False), "post": (False, True), "none": (False, False)}
"""Supported placement -> (norm before each sub-layer, norm after each sum)."""


class Maps(NamedTuple):
    """Linear maps to queries, keys and values, with a norm's weight and bias folded in."""

    weights_RDD: tuple[Tensor, ...]
    biases_R1D: tuple[Tensor | None, ...]


class StackedLayer:
    """Block without dropout. prefix: prefix of its parameters' names."""

    def __init__(self, spec: ModelSpec, layer: LayerSpec, prefix: str) -> None:
        self.spec, self.layer, self.prefix = spec, layer, prefix
        self.norm_before, self.norm_after = NORMS[spec.norm.placement]
        self.scale = (spec.d_model // layer.num_heads) ** -0.5 if spec.attention_scale == "inverse_sqrt" else 1.0

    def __call__(self, parameters: Parameters, rows: Rows) -> Rows:
        """The output of the layer at all places."""
        return self._through(parameters, rows, rows)

    def at(self, parameters: Parameters, rows: Rows, columns_C: Tensor) -> Rows:
        """The output of the layer at some columns, which attend to all visible positions."""
        return self._through(parameters, *rows.fork(columns_C))

    def _through(self, parameters: Parameters, rows: Rows, queries: Rows) -> Rows:
        own = {
            name.removeprefix(self.prefix): value for name, value in parameters.items() if name.startswith(self.prefix)
        }
        key_rows = self._before(own, rows)
        query_rows = key_rows if queries is rows else self._before(own, queries)
        hidden_QS = self._hidden(queries.columns_T, rows.columns_T).to(rows.x_RND.dtype)
        attend_or_read = self._read if self._read_is_faster(queries, rows) else self._attend
        x_RND = attend_or_read(own, key_rows, query_rows, queries, hidden_QS)
        x_RND = self._feed_forward(own, self._after(own, x_RND, "attention_norm."))
        return Rows(x_RND, queries.batch, queries.columns_T)

    def _before(self, own: Parameters, rows: Rows) -> Rows:
        """The input of the maps to queries, keys and values; the norm's weight and bias are folded into the maps."""
        if not self.norm_before:
            return rows
        x_RND = normed(rows.x_RND, self.spec.norm.epsilon)
        if self.spec.attention_identity is not None:
            x_RND = affine(own, "attention_norm.", x_RND)
        return replace(rows, x_RND=x_RND)

    def _maps(self, own: Parameters) -> Maps:
        plain = not self.norm_before or self.spec.attention_identity is not None
        name = "attention.query_key_value."
        weight, bias = folded(own, None if plain else "attention_norm.", own[name + "weight"], own.get(name + "bias"))
        return Maps(weight.chunk(3, 1), (None,) * 3 if bias is None else bias.chunk(3, 2))

    def _read_is_faster(self, queries: Rows, rows: Rows) -> bool:
        if self.layer.num_heads == 1:
            return True
        few = 2 * len(queries.columns_T) * self.layer.num_heads <= len(rows.columns_T)
        return few and self.spec.attention_identity is None

    def _attend(self, own: Parameters, key_rows: Rows, query_rows: Rows, residual: Rows, hidden_QS: Tensor) -> Tensor:
        """Queries, keys and values at all places, as in Attention; added to the residual."""
        q, k, v = (
            rows.spread_heads(linear(rows.x_RND, weight, onto=bias), self.layer.num_heads)
            for rows, weight, bias in zip((query_rows, key_rows, key_rows), *self._maps(own), strict=True)
        )
        if "attention.identity_H" in own:
            weight_RHD = (own["attention.identity_H"] / self.scale)[:, None, :, None, None]
            q = torch.cat((q, weight_RHD * self._same_for_heads(query_rows)), -1)
            k = torch.cat((k, self._same_for_heads(key_rows)), -1)
        o_GQK = attend(*(one.flatten(0, 2) for one in (q, k, v)), hidden_QS=hidden_QS, scale=self.scale)
        o_RBQD = o_GQK.view(*v.shape[:3], *o_GQK.shape[1:]).transpose(2, 3).flatten(3)
        return self._out(own, o_RBQD, residual, weight_RDD=own["attention.output.weight"])

    def _read(self, own: Parameters, key_rows: Rows, query_rows: Rows, residual: Rows, hidden_QS: Tensor) -> Tensor:
        """The same without keys and values: <q, W x> = <W^T q, x>, and a mean of W x is W times the mean of x.

        The keys' bias shifts all scores of a query equally and so has no effect.
        """
        x_GSD = key_rows.spread(key_rows.x_RND).flatten(0, 1)
        if self.layer.num_heads == 1:
            return self._read_one(own, x_GSD, query_rows, residual, hidden_QS)
        heads = self.layer.num_heads
        maps = self._maps(own)
        _, key_RHKD, value_RHKD = (weight.view(len(weight), heads, -1, weight.shape[2]) for weight in maps.weights_RDD)
        q_RBHQK = query_rows.spread_heads(linear(query_rows.x_RND, maps.weights_RDD[0], onto=maps.biases_R1D[0]), heads)
        q_RBHQD = torch.einsum("rbhqk,rhkd->rbhqd", q_RBHQK, key_RHKD)
        mean_GPD = read(
            q_RBHQD.flatten(2, 3).flatten(0, 1), x_GSD, hidden_QS=hidden_QS.repeat(heads, 1), scale=self.scale
        )
        o_RBQD = torch.einsum("rbhqd,rhkd->rbqhk", mean_GPD.view(q_RBHQD.shape), value_RHKD).flatten(3)
        if (value_bias := maps.biases_R1D[2]) is not None:
            o_RBQD = o_RBQD + value_bias[:, None]
        return self._out(own, o_RBQD, residual, weight_RDD=own["attention.output.weight"])

    def _read_one(self, own: Parameters, x_GSD: Tensor, query_rows: Rows, residual: Rows, hidden_QS: Tensor) -> Tensor:
        """With one head, the maps to queries and keys merge into one, and so do those to values and to the output."""
        (query, key, value), (query_bias, _, value_bias) = self._maps(own)
        weight_RDD = torch.bmm(key.transpose(1, 2), query)
        if "attention.identity_H" in own:
            weight_RDD = weight_RDD + own["attention.identity_H"][:, :, None] / self.scale * torch.eye(x_GSD.shape[-1])
        bias_R1D = None if query_bias is None else torch.bmm(query_bias, key)
        q_RBQD = query_rows.spread(linear(query_rows.x_RND, weight_RDD, onto=bias_R1D))
        mean_GQD = read(q_RBQD.flatten(0, 1), x_GSD, hidden_QS=hidden_QS, scale=self.scale)
        output = own["attention.output.weight"]
        output_bias_R1D = None if value_bias is None else torch.bmm(value_bias, output.transpose(1, 2))
        return self._out(own, mean_GQD, residual, weight_RDD=torch.bmm(output, value), bias_R1D=output_bias_R1D)

    def _out(
        self, own: Parameters, o: Tensor, residual: Rows, *, weight_RDD: Tensor, bias_R1D: Tensor | None = None
    ) -> Tensor:
        """x_RND: the residual plus a linear map of the heads' output [..., D]."""
        x_RND = residual.x_RND if bias_R1D is None else residual.x_RND + bias_R1D
        if (bias_RD := own.get("attention.output.bias")) is not None:
            x_RND = x_RND + bias_RD[:, None]
        return residual.plus(x_RND, o.reshape(len(x_RND), -1, o.shape[-1]), weight_RDD)

    def _feed_forward(self, own: Parameters, x_RND: Tensor) -> Tensor:
        if self.layer.d_ff == 0:
            return x_RND
        name = "feed_forward.expand."
        norm = "feed_forward_norm." if self.norm_before else None
        weight, bias = folded(own, norm, own[name + "weight"], own.get(name + "bias"))
        before_RND = normed(x_RND, self.spec.norm.epsilon) if self.norm_before else x_RND
        inner_RNF = ACTIVATIONS[self.spec.activation](linear(before_RND, weight, onto=bias))
        output_bias = own.get("feed_forward.output.bias")
        onto_RND = x_RND if output_bias is None else x_RND + output_bias[:, None]
        return self._after(
            own, linear(inner_RNF, own["feed_forward.output.weight"], onto=onto_RND), "feed_forward_norm."
        )

    def _after(self, own: Parameters, x_RND: Tensor, norm: str) -> Tensor:
        if not self.norm_after:
            return x_RND
        return affine(own, norm, normed(x_RND, self.spec.norm.epsilon))

    def _same_for_heads(self, rows: Rows) -> Tensor:
        """x_RBHTD, the input of the identity term."""
        return rows.spread(rows.x_RND)[:, :, None].expand(-1, -1, self.layer.num_heads, -1, -1)

    def _hidden(self, queries_Q: Tensor, keys_S: Tensor) -> Tensor:
        """-inf where a query does not see a key, else 0."""
        seen_QS = Visibility(self.spec.mask, self.layer.window).seen_TS(queries_Q, keys_S)
        return torch.zeros(seen_QS.shape).masked_fill_(~seen_QS, -torch.inf)
