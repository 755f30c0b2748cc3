"""The attention of one layer of all stacks. See layer.py; the replicas R are the first axis."""

from typing import NamedTuple

import torch
from torch import Tensor

from stacklab.model.spec import LayerSpec, ModelSpec
from stacklab.model.stacked.dropout import StackedDropout
from stacklab.model.stacked.ops import StackComputation, attend, fused_attend, linear, read
from stacklab.model.stacked.rows import Parameters, Rows, folded


class Maps(NamedTuple):
    """Linear maps to queries, keys and values, with a norm's weight and bias folded in."""

    weights_RDD: tuple[Tensor, ...]
    biases_R1D: tuple[Tensor | None, ...]


class Seen(NamedTuple):
    """The keys that queries see. seen_QS: of each pair. causal: whether torch's kernel derives it from positions."""

    seen_QS: Tensor
    needs_matrix: bool
    causal: bool

    def hidden_QS(self, dtype: torch.dtype) -> Tensor:
        """-inf where a query does not see a key, else 0."""
        zeros_QS = torch.zeros(self.seen_QS.shape, dtype=dtype, device=self.seen_QS.device)
        return zeros_QS.masked_fill_(~self.seen_QS, -torch.inf)


class Call(NamedTuple):
    """One call of a layer's attention.

    own: the layer's parameters. key_rows, query_rows: the input at the places of keys and values, and of queries.
    residual: what the output is added to, at the places of queries. masks: of dropout; None evaluates.
    """

    own: Parameters
    key_rows: Rows
    query_rows: Rows
    residual: Rows
    masks: StackedDropout | None
    seen: Seen


class StackedAttention:
    """Attention at some places, added to the residual. prefix: of the layer's parameters; it names its dropout."""

    def __init__(self, spec: ModelSpec, layer: LayerSpec, prefix: str, computation: StackComputation) -> None:
        self.spec, self.layer, self.prefix, self.computation = spec, layer, prefix, computation
        self.dtype = computation.product_dtype
        self.folds_norm = spec.norm.placement == "pre" and spec.attention_identity is None
        self.scale = (spec.d_model // layer.num_heads) ** -0.5 if spec.attention_scale == "inverse_sqrt" else 1.0

    def __call__(
        self, own: Parameters, key_rows: Rows, query_rows: Rows, residual: Rows, masks: StackedDropout | None
    ) -> Tensor:
        """x_RND, the residual plus the output. Arguments: see Call."""
        seen = self._seen(query_rows.columns_T, key_rows.columns_T)
        call = Call(own, key_rows, query_rows, residual, masks, seen)
        drops_shares = masks is not None and self.spec.attention_dropout > 0.0
        if drops_shares or not self._read_is_faster(query_rows, key_rows):
            return self._attend(call)
        return self._read_one(call) if self.layer.num_heads == 1 else self._read(call)

    def _seen(self, queries_Q: Tensor, keys_S: Tensor) -> Seen:
        visibility = self.spec.visibility(self.layer)
        causal = visibility.kind.causal
        needs_matrix = visibility.needs_matrix or (causal and len(queries_Q) < len(keys_S))
        return Seen(visibility.seen_TS(queries_Q, keys_S), needs_matrix, causal and not needs_matrix)

    def _maps(self, own: Parameters) -> Maps:
        name = "attention.query_key_value."
        norm = "attention_norm." if self.folds_norm else None
        weight, bias = folded(own, norm, own[name + "weight"], own.get(name + "bias"))
        return Maps(weight.chunk(3, 1), (None,) * 3 if bias is None else bias.chunk(3, 2))

    def _read_is_faster(self, queries: Rows, rows: Rows) -> bool:
        if self.layer.num_heads == 1:
            return True
        few = 2 * len(queries.columns_T) * self.layer.num_heads <= len(rows.columns_T)
        return few and self.spec.attention_identity is None

    def _attend(self, call: Call) -> Tensor:
        """Queries, keys and values at all places, as in Attention."""
        own = call.own
        q, k, v = (
            rows.spread_heads(linear(rows.x_RND, weight, bias_R1O=bias, dtype=self.dtype), self.layer.num_heads)
            for rows, weight, bias in zip(
                (call.query_rows, call.key_rows, call.key_rows), *self._maps(own), strict=True
            )
        )
        if "attention.identity_H" in own:
            weight_RHD = (own["attention.identity_H"] / self.scale)[:, None, :, None, None]
            q = torch.cat((q, (weight_RHD * self._same_for_heads(call.query_rows)).to(q.dtype)), -1)
            k = torch.cat((k, self._same_for_heads(call.key_rows).to(k.dtype)), -1)
        o_RBQD = self._mixed(q, k, v, call.seen, call.masks).transpose(2, 3).flatten(3)
        return self._out(call, o_RBQD, weight_RDD=own["attention.output.weight"])

    def _mixed(
        self, q_RBHQK: Tensor, k_RBHSK: Tensor, v_RBHSL: Tensor, seen: Seen, masks: StackedDropout | None
    ) -> Tensor:
        """o_RBHQL: the values, weighted by the shares of softmax."""
        all_three = (q_RBHQK, k_RBHSK, v_RBHSL)
        p = self.spec.attention_dropout
        if masks is not None and p > 0.0:
            # torch's kernel draws from one generator, so each replica has a call of its own.
            parts = []
            for replica, one in enumerate(zip(*(each.unbind(0) for each in all_three), strict=True)):
                masks.seed_device(replica, self.prefix)
                parts.append(self._fused(*one, seen=seen, p=p))
            return torch.stack(parts)
        if self.computation.fused_attention:
            o_GHQL = self._fused(*(each.flatten(0, 1) for each in all_three), seen=seen)
            return o_GHQL.view(*q_RBHQK.shape[:2], *o_GHQL.shape[1:])
        hidden_QS = seen.hidden_QS(q_RBHQK.dtype)
        o_GQL = attend(*(each.flatten(0, 2) for each in all_three), hidden_QS=hidden_QS, scale=self.scale)
        return o_GQL.view(*v_RBHSL.shape[:3], *o_GQL.shape[1:])

    def _fused(self, q: Tensor, k: Tensor, v: Tensor, *, seen: Seen, p: float = 0.0) -> Tensor:
        seen_QS = seen.seen_QS if seen.needs_matrix else None
        return fused_attend(q, k, v, seen_QS=seen_QS, causal=seen.causal, scale=self.scale, p=p)

    def _read(self, call: Call) -> Tensor:
        """The same without keys and values: <q, W x> = <W^T q, x>, and a mean of W x is W times the mean of x.

        The keys' bias shifts all scores of a query equally and so has no effect.
        """
        x_GSD, heads, maps = self._keys(call), self.layer.num_heads, self._maps(call.own)
        _, key_RHKD, value_RHKD = (
            weight.view(len(weight), heads, -1, weight.shape[2]).to(x_GSD.dtype) for weight in maps.weights_RDD
        )
        q_RNO = linear(call.query_rows.x_RND, maps.weights_RDD[0], bias_R1O=maps.biases_R1D[0], dtype=self.dtype)
        q_RBHQD = torch.einsum("rbhqk,rhkd->rbhqd", call.query_rows.spread_heads(q_RNO, heads), key_RHKD)
        mean_GPD = self._means(q_RBHQD.flatten(2, 3).flatten(0, 1), x_GSD, call.seen, repeats=heads)
        o_RBQD = torch.einsum("rbhqd,rhkd->rbqhk", mean_GPD.view(q_RBHQD.shape), value_RHKD).flatten(3)
        if (value_bias := maps.biases_R1D[2]) is not None:
            o_RBQD = o_RBQD + value_bias[:, None]
        return self._out(call, o_RBQD, weight_RDD=call.own["attention.output.weight"])

    def _read_one(self, call: Call) -> Tensor:
        """With one head, the maps to queries and keys merge into one, and so do those to values and to the output.

        Products of weights with each other are in the format of the weights.
        """
        own, x_GSD = call.own, self._keys(call)
        (query, key, value), (query_bias, _, value_bias) = self._maps(own)
        weight_RDD = torch.bmm(key.transpose(1, 2), query)
        if "attention.identity_H" in own:
            eye_DD = torch.eye(x_GSD.shape[-1], device=x_GSD.device)
            weight_RDD = weight_RDD + own["attention.identity_H"][:, :, None] / self.scale * eye_DD
        bias_R1D = None if query_bias is None else torch.bmm(query_bias, key)
        q_RND = linear(call.query_rows.x_RND, weight_RDD, bias_R1O=bias_R1D, dtype=self.dtype)
        mean_GQD = self._means(call.query_rows.spread(q_RND).flatten(0, 1), x_GSD, call.seen, repeats=1)
        output = own["attention.output.weight"]
        output_bias_R1D = None if value_bias is None else torch.bmm(value_bias, output.transpose(1, 2))
        return self._out(call, mean_GQD, weight_RDD=torch.bmm(output, value), bias_R1D=output_bias_R1D)

    def _keys(self, call: Call) -> Tensor:
        """x_GSD, the input at all places, in the format of products."""
        x_GSD = call.key_rows.spread(call.key_rows.x_RND).flatten(0, 1)
        return x_GSD if self.dtype is None else x_GSD.to(self.dtype)

    def _means(self, q_GPD: Tensor, x_GSD: Tensor, seen: Seen, *, repeats: int) -> Tensor:
        """mean_GPD: means of x by the shares of softmax. P: the queries of each head, one head after the other."""
        if not self.computation.fused_attention:
            hidden_PS = seen.hidden_QS(q_GPD.dtype).repeat(repeats, 1)
            return read(q_GPD, x_GSD, hidden_QS=hidden_PS, scale=self.scale)
        if repeats > 1:
            seen = Seen(seen.seen_QS.repeat(repeats, 1), needs_matrix=True, causal=False)
        return self._fused(q_GPD[:, None], x_GSD[:, None], x_GSD[:, None], seen=seen)[:, 0]

    def _out(self, call: Call, o: Tensor, *, weight_RDD: Tensor, bias_R1D: Tensor | None = None) -> Tensor:
        """x_RND: the residual plus a linear map of the heads' output [..., D]."""
        x_RND = call.residual.x_RND
        o_RNI = o.reshape(len(x_RND), -1, o.shape[-1])
        biases = [] if bias_R1D is None else [bias_R1D]
        if (bias_RD := call.own.get("attention.output.bias")) is not None:
            biases.append(bias_RD[:, None])
        if call.masks is not None and self.spec.dropout > 0.0:
            branch_RND = linear(o_RNI, weight_RDD, dtype=self.dtype)
            for bias in biases:
                branch_RND = branch_RND + bias
            return x_RND + call.masks.drop(branch_RND, self.spec.dropout)
        for bias in biases:
            x_RND = x_RND + bias
        return call.residual.plus(x_RND, o_RNI, weight_RDD, dtype=self.dtype)

    def _same_for_heads(self, rows: Rows) -> Tensor:
        """x_RBHTD, the input of the identity term."""
        return rows.spread(rows.x_RND)[:, :, None].expand(-1, -1, self.layer.num_heads, -1, -1)
