"""One layer of many equal-shaped small stacks. See transformer.py; the replicas R are the first axis."""

from dataclasses import replace

from torch import Tensor

from stacklab.model.feed_forward import ACTIVATIONS
from stacklab.model.residual import PlacementName
from stacklab.model.spec import LayerSpec, ModelSpec
from stacklab.model.stacked.attention import StackedAttention
from stacklab.model.stacked.dropout import StackedDropout
from stacklab.model.stacked.ops import StackComputation, linear, linear_onto
from stacklab.model.stacked.rows import Parameters, Rows, affine, folded, normed

NORMS: dict[PlacementName, tuple[bool, bool]] = {"pre": (True, False), "post": (False, True), "none": (False, False)}
"""Supported placement -> (norm before each sub-layer, norm after each sum)."""


class StackedLayer:
    """Block of every replica. prefix: prefix of its parameters' names."""

    def __init__(self, spec: ModelSpec, layer: LayerSpec, prefix: str, computation: StackComputation) -> None:
        self.spec, self.layer, self.prefix = spec, layer, prefix
        self.dtype = computation.product_dtype
        self.norm_before, self.norm_after = NORMS[spec.norm.placement]
        self.attention = StackedAttention(spec, layer, prefix, computation)

    def __call__(self, parameters: Parameters, rows: Rows, masks: StackedDropout | None) -> Rows:
        """The output of the layer at all places. masks: of dropout; None evaluates."""
        return self._through(parameters, rows, rows, masks)

    def at(self, parameters: Parameters, rows: Rows, columns_C: Tensor, masks: StackedDropout | None) -> Rows:
        """The output of the layer at some columns, which attend to all visible positions."""
        return self._through(parameters, *rows.fork(columns_C), masks)

    def _through(self, parameters: Parameters, rows: Rows, queries: Rows, masks: StackedDropout | None) -> Rows:
        own = {
            name.removeprefix(self.prefix): value for name, value in parameters.items() if name.startswith(self.prefix)
        }
        key_rows = self._before(own, rows)
        query_rows = key_rows if queries is rows else self._before(own, queries)
        x_RND = self.attention(own, key_rows, query_rows, queries, masks)
        x_RND = self._feed_forward(own, self._after(own, x_RND, "attention_norm."), masks)
        # Norms and biases may widen the stream; it leaves in the format in which it came.
        return Rows(x_RND.to(queries.x_RND.dtype), queries.batch, queries.columns_T)

    def _before(self, own: Parameters, rows: Rows) -> Rows:
        """The input of the maps to queries, keys and values; the norm's weight and bias are folded into the maps."""
        if not self.norm_before:
            return rows
        x_RND = normed(rows.x_RND, self.spec.norm.epsilon)
        if self.spec.attention_identity is not None:
            x_RND = affine(own, "attention_norm.", x_RND)
        return replace(rows, x_RND=x_RND)

    def _feed_forward(self, own: Parameters, x_RND: Tensor, masks: StackedDropout | None) -> Tensor:
        if self.layer.d_ff == 0:
            return x_RND
        name = "feed_forward.expand."
        norm = "feed_forward_norm." if self.norm_before else None
        weight, bias = folded(own, norm, own[name + "weight"], own.get(name + "bias"))
        before_RND = normed(x_RND, self.spec.norm.epsilon) if self.norm_before else x_RND
        expanded_RNF = linear(before_RND, weight, bias_R1O=bias, dtype=self.dtype)
        return self._after(own, self._joined(own, x_RND, expanded_RNF, masks), "feed_forward_norm.")

    def _joined(self, own: Parameters, x_RND: Tensor, expanded_RNF: Tensor, masks: StackedDropout | None) -> Tensor:
        """x plus the second half of the feed-forward."""
        inner_RNF = ACTIVATIONS[self.spec.activation](expanded_RNF)
        weight, bias_RD = own["feed_forward.output.weight"], own.get("feed_forward.output.bias")
        bias_R1D = None if bias_RD is None else bias_RD[:, None]
        if masks is not None and self.spec.dropout > 0.0:
            branch_RND = linear(inner_RNF, weight, bias_R1O=bias_R1D, dtype=self.dtype)
            return x_RND + masks.drop(branch_RND, self.spec.dropout)
        onto_RND = x_RND if bias_R1D is None else x_RND + bias_R1D
        return linear_onto(inner_RNF, weight, onto_RND, dtype=self.dtype)

    def _after(self, own: Parameters, x_RND: Tensor, norm: str) -> Tensor:
        if not self.norm_after:
            return x_RND
        return affine(own, norm, normed(x_RND, self.spec.norm.epsilon))
