"""The forward pass of many equal-shaped small stacks at once.

It computes what Transformer computes, and skips what no result depends on. Where results are needed at some positions
only, the last layer computes queries at these and, where they are few, computes scores and outputs from its input
without keys and values. Where the vocabulary is small and nothing is dropped, the linear maps of the first layer are
applied to all pairs of token and position, since the batch holds each pair many times.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from stacklab.base.errors import SpecError
from stacklab.model.feed_forward import ACTIVATIONS
from stacklab.model.ops.linear_cross_entropy import tied_lookup
from stacklab.model.positions.kind import PositionKind
from stacklab.model.positions.kinds import FactoredPositions, LearnedPositions, NoPositions, SinusoidalPositions
from stacklab.model.positions.rows import Sinusoids
from stacklab.model.residual import PlacementName
from stacklab.model.sharing import SubLayer, sources
from stacklab.model.spec import ModelSpec
from stacklab.model.stacked.attention import StackedAttention
from stacklab.model.stacked.dropout import StackedDropout
from stacklab.model.stacked.ops import AS_WEIGHTS, StackComputation, linear, linear_onto
from stacklab.model.stacked.rows import Parameters, Rows, affine, folded, normed
from stacklab.model.stacked.support import unsupported

NORMS: dict[PlacementName, tuple[bool, bool]] = {"pre": (True, False), "post": (False, True), "none": (False, False)}
"""Supported placement -> (norm before each sub-layer, norm after each sum)."""


class StackedLayer:
    """Block of every replica. index: its number, bottom first; parameters are named after the layers that hold them."""

    def __init__(self, spec: ModelSpec, index: int, computation: StackComputation) -> None:
        self.spec, self.layer = spec, spec.layers[index]
        held = ((sources(spec.share, part, spec.num_layers)[index], part) for part in get_args(SubLayer))
        self.held = tuple(f"blocks.{source}.{part}" for source, part in held)
        self.dtype = computation.product_dtype
        self.norm_before, self.norm_after = NORMS[spec.norm.placement]
        self.attention = StackedAttention(spec, self.layer, f"blocks.{index}.", computation)

    def __call__(self, parameters: Parameters, rows: Rows, masks: StackedDropout | None) -> Rows:
        """The output of the layer at all places. masks: of dropout; None evaluates."""
        return self._through(parameters, rows, rows, masks)

    def at(self, parameters: Parameters, rows: Rows, columns_C: Tensor, masks: StackedDropout | None) -> Rows:
        """The output of the layer at some columns, which attend to all visible positions."""
        return self._through(parameters, *rows.fork(columns_C), masks)

    def _through(self, parameters: Parameters, rows: Rows, queries: Rows, masks: StackedDropout | None) -> Rows:
        own = {name.split(".", 2)[2]: value for name, value in parameters.items() if name.startswith(self.held)}
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


REPEATS = 2
"""How often a batch must hold each pair of token and position, on average, for the table of all pairs to be faster."""


class StackedTransformer:
    """Stacks of one ModelSpec. It holds no parameters; they are passed with every call, with the replicas in front.

    `masks` are those of dropout in training; None evaluates.

    Raises SpecError for a spec with a setting that it does not support: see support.py.
    """

    def __init__(self, spec: ModelSpec, computation: StackComputation = AS_WEIGHTS) -> None:
        setting = unsupported(spec)
        if setting is None and type(spec.position) not in POSITION_ROWS:
            setting = f"position.kind = {spec.position.kind}"
        if setting is not None:
            raise SpecError(f"model.{setting} is not supported in a stack")
        self.spec, self.computation = spec, computation
        self.layers = [StackedLayer(spec, index, computation) for index in range(spec.num_layers)]

    def logits(
        self,
        parameters: Parameters,
        ids_RBT: Tensor,
        columns_C: Tensor,
        masks: StackedDropout | None = None,
        head_dtype: torch.dtype | None = None,
    ) -> Tensor:
        """logits_RBCV at some columns of the sequences, ascending. head_dtype: that of the head's product."""
        rows = self._embedded(parameters, ids_RBT, masks)
        for layer in self.layers[:-1]:
            rows = layer(parameters, rows, masks)
        chosen = self.layers[-1].at(parameters, rows, columns_C, masks) if self.layers else rows.fork(columns_C)[1]
        norm = "final_norm." if self.spec.norm.has_final else None
        table_RVD = parameters["token_embedding.weight" if self.spec.tie_embeddings else "head.weight"]
        weight_RVD, bias_R1V = folded(parameters, norm, table_RVD, None)
        x_RND = chosen.x_RND if norm is None else normed(chosen.x_RND, self.spec.norm.epsilon)
        return chosen.spread(linear(x_RND, weight_RVD, bias_R1O=bias_R1V, dtype=head_dtype))

    def with_head(
        self, parameters: Parameters, ids_RBT: Tensor, masks: StackedDropout | None = None
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Hidden states x_RND for the head at all places, and each replica's table_VD, as in Transformer.with_head.

        Tables are taken one by one: together they would be copied, and so would their gradients.
        """
        tables = parameters["token_embedding.weight"].unbind(0)
        pairs = zip(tables, ids_RBT.unbind(0), strict=True)
        if self.spec.tie_embeddings:
            rows_of, heads = zip(*(tied_lookup(table_VD, ids_BT) for table_VD, ids_BT in pairs), strict=True)
        else:
            rows_of = tuple(F.embedding(ids_BT, table_VD) for table_VD, ids_BT in pairs)
            heads = parameters["head.weight"].unbind(0)
        rows = self._placed(parameters, torch.stack(rows_of), masks)
        for layer in self.layers:
            rows = layer(parameters, rows, masks)
        if not self.spec.norm.has_final:
            return rows.x_RND, heads
        return affine(parameters, "final_norm.", normed(rows.x_RND, self.spec.norm.epsilon)), heads

    def _embedded(self, parameters: Parameters, ids_RBT: Tensor, masks: StackedDropout | None) -> Rows:
        """The input of the first layer; with shared rows where these are fewer than the places."""
        table_RVD = parameters["token_embedding.weight"]
        (replicas, vocab, _), (_, batch, length) = table_RVD.shape, ids_RBT.shape
        columns_T = torch.arange(length, device=ids_RBT.device)
        row_RBT = ids_RBT + torch.arange(replicas, device=ids_RBT.device)[:, None, None] * vocab
        places = self._places(parameters, columns_T)
        pairs = vocab if places is None else REPEATS * vocab * length
        if pairs > batch * length or (masks is not None and self.spec.dropout > 0.0):
            return self._placed(parameters, F.embedding(row_RBT, table_RVD.flatten(0, 1)), masks)
        if places is None:
            return Rows(self._streamed(table_RVD), batch, columns_T, row_RBT)
        pair_RND = (table_RVD[:, :, None] + places[:, None]).flatten(1, 2)
        return Rows(self._streamed(pair_RND), batch, columns_T, row_RBT * length + columns_T)

    def _placed(self, parameters: Parameters, rows_RBTD: Tensor, masks: StackedDropout | None) -> Rows:
        """The token rows with their positions added, a row for each place."""
        columns_T = torch.arange(rows_RBTD.shape[2], device=rows_RBTD.device)
        places = self._places(parameters, columns_T)
        x_RND = (rows_RBTD if places is None else rows_RBTD + places[:, None]).flatten(1, 2)
        x_RND = self._streamed(x_RND)
        if masks is not None:
            x_RND = masks.drop(x_RND, self.spec.dropout)
        return Rows(x_RND, rows_RBTD.shape[1], columns_T)

    def _streamed(self, x_RND: Tensor) -> Tensor:
        """In the format of the residual stream."""
        dtype = self.computation.stream_dtype
        return x_RND if dtype is None else x_RND.to(dtype)

    def _places(self, parameters: Parameters, columns_T: Tensor) -> Tensor | None:
        """The rows that positions add to token rows: [R, T, D], or [1, T, D] where they are not trained; None for
        none."""
        return POSITION_ROWS[type(self.spec.position)](self.spec, parameters, columns_T)


def _learned(spec: ModelSpec, parameters: Parameters, columns_T: Tensor) -> Tensor:
    return parameters["position_embedding.weight"][:, : len(columns_T)]


def _sinusoidal(spec: ModelSpec, parameters: Parameters, columns_T: Tensor) -> Tensor:
    rows: Tensor = Sinusoids(spec.d_model)(columns_T)
    return rows[None]


def _factored(spec: ModelSpec, parameters: Parameters, columns_T: Tensor) -> Tensor:
    assert isinstance(spec.position, FactoredPositions)
    period = spec.position.period
    slot_RTD = parameters["position_embedding.slot.weight"].index_select(1, columns_T % period)
    return slot_RTD + parameters["position_embedding.group.weight"].index_select(1, columns_T // period)


POSITION_ROWS: dict[type[PositionKind], Callable[[ModelSpec, Parameters, Tensor], Tensor | None]] = {
    LearnedPositions: _learned,
    SinusoidalPositions: _sinusoidal,
    NoPositions: lambda spec, parameters, columns_T: None,
    FactoredPositions: _factored,
}
"""The rows that positions of each supported kind add to token rows: see StackedTransformer._places."""
