"""The forward pass of many equal-shaped small stacks at once, at selected positions.

It computes what Transformer computes without dropout, and skips what no result depends on. The last layer computes
queries at these positions only and, where they are few, computes scores and outputs from its input without keys and
values. Where the vocabulary is small, the linear maps of the first layer are applied to all pairs of token and
position, since the batch holds each pair many times.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from stacklab.base.errors import SpecError
from stacklab.model.positions.kind import PositionKind
from stacklab.model.positions.kinds import FactoredPositions, LearnedPositions, NoPositions, SinusoidalPositions
from stacklab.model.positions.rows import Sinusoids
from stacklab.model.spec import ModelSpec
from stacklab.model.stacked.layer import StackedLayer
from stacklab.model.stacked.ops import linear
from stacklab.model.stacked.rows import Parameters, Rows, folded, normed
from stacklab.model.stacked.support import unsupported

REPEATS = 2
"""How often a batch must hold each pair of token and position, on average, for the table of all pairs to be faster."""


class StackedTransformer:
    """Stacks of one ModelSpec, on a CPU. It holds no parameters; they are passed with every call.

    Raises SpecError for a spec with a setting that it does not support: see support.py.
    """

    def __init__(self, spec: ModelSpec) -> None:
        setting = unsupported(spec)
        if setting is None and type(spec.position) not in POSITION_ROWS:
            setting = f"position.kind = {spec.position.kind}"
        if setting is not None:
            raise SpecError(f"model.{setting} is not supported in a stack")
        self.spec = spec
        self.layers = [StackedLayer(spec, layer, f"blocks.{index}.") for index, layer in enumerate(spec.layers)]

    def logits(self, parameters: Parameters, ids_RBT: Tensor, columns_C: Tensor) -> Tensor:
        """logits_RBCV at some columns of the sequences, ascending."""
        rows = self._embedded(parameters, ids_RBT)
        for layer in self.layers[:-1]:
            rows = layer(parameters, rows)
        chosen = self.layers[-1].at(parameters, rows, columns_C) if self.layers else rows.fork(columns_C)[1]
        norm = "final_norm." if self.spec.norm.has_final else None
        table_RVD = parameters["token_embedding.weight" if self.spec.tie_embeddings else "head.weight"]
        weight_RVD, bias_R1V = folded(parameters, norm, table_RVD, None)
        x_RND = chosen.x_RND if norm is None else normed(chosen.x_RND, self.spec.norm.epsilon)
        return chosen.spread(linear(x_RND, weight_RVD, onto=bias_R1V))

    def _embedded(self, parameters: Parameters, ids_RBT: Tensor) -> Rows:
        table_RVD = parameters["token_embedding.weight"]
        (replicas, vocab, _), (_, batch, length) = table_RVD.shape, ids_RBT.shape
        columns_T = torch.arange(length)
        row_RBT = ids_RBT + torch.arange(replicas)[:, None, None] * vocab
        places = self._places(parameters, columns_T)
        if places is None:
            return Rows(table_RVD, batch, columns_T, row_RBT)
        if REPEATS * vocab > batch:
            x_RBTD = F.embedding(row_RBT, table_RVD.flatten(0, 1)) + places[:, None]
            return Rows(x_RBTD.flatten(1, 2), batch, columns_T)
        pair_RND = (table_RVD[:, :, None] + places[:, None]).flatten(1, 2)
        return Rows(pair_RND, batch, columns_T, row_RBT * length + columns_T)

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
