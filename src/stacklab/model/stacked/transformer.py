"""The forward pass of many equal-shaped small stacks at once, at given positions.

It computes what Transformer computes without dropout, and leaves out what nothing depends on. The last layer makes
queries at these positions only, and where these are few it reads scores and values off its input without making
keys and values. Where the vocabulary is small, the linear maps of the first layer go over all pairs of token and
position, since the batch holds each of them many times.
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
from stacklab.model.stacked.layer import Parameters, Rows, StackedLayer, folded, normed
from stacklab.model.stacked.ops import linear
from stacklab.model.stacked.support import unsupported

REPEATS = 2
"""How often a batch must hold each pair of token and position, on average, before the table of all pairs pays."""


class StackedTransformer:
    """Stacks of one ModelSpec, on a CPU. It holds no parameters; they come with every call.

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

    def logits(self, given: Parameters, ids_RBT: Tensor, columns_C: Tensor) -> Tensor:
        """logits_RBCV at some columns of the sequences, ascending."""
        rows = self._embedded(given, ids_RBT)
        for layer in self.layers[:-1]:
            rows = layer(given, rows)
        chosen = self.layers[-1].at(given, rows, columns_C) if self.layers else rows.fork(columns_C)[1]
        norm = "final_norm." if self.spec.norm.has_final else None
        table_RVD = given["token_embedding.weight" if self.spec.tie_embeddings else "head.weight"]
        weight_RVD, bias_R1V = folded(given, norm, table_RVD, None)
        x_RND = chosen.x_RND if norm is None else normed(chosen.x_RND, self.spec.norm.epsilon)
        return chosen.spread(linear(x_RND, weight_RVD, onto=bias_R1V))

    def _embedded(self, given: Parameters, ids_RBT: Tensor) -> Rows:
        table_RVD = given["token_embedding.weight"]
        (replicas, vocab, _), (_, batch, length) = table_RVD.shape, ids_RBT.shape
        columns_T = torch.arange(length)
        row_RBT = ids_RBT + torch.arange(replicas)[:, None, None] * vocab
        places = self._places(given, columns_T)
        if places is None:
            return Rows(table_RVD, batch, columns_T, row_RBT)
        if REPEATS * vocab > batch:
            x_RBTD = F.embedding(row_RBT, table_RVD.flatten(0, 1)) + places[:, None]
            return Rows(x_RBTD.flatten(1, 2), batch, columns_T)
        pair_RND = (table_RVD[:, :, None] + places[:, None]).flatten(1, 2)
        return Rows(pair_RND, batch, columns_T, row_RBT * length + columns_T)

    def _places(self, given: Parameters, columns_T: Tensor) -> Tensor | None:
        """What the positions add to their tokens' rows, [R, T, D], or [1, T, D] where that is not trained; None adds
        nothing."""
        return POSITION_ROWS[type(self.spec.position)](self.spec, given, columns_T)


def _learned(spec: ModelSpec, given: Parameters, columns_T: Tensor) -> Tensor:
    return given["position_embedding.weight"][:, : len(columns_T)]


def _sinusoidal(spec: ModelSpec, given: Parameters, columns_T: Tensor) -> Tensor:
    rows: Tensor = Sinusoids(spec.d_model)(columns_T)
    return rows[None]


def _factored(spec: ModelSpec, given: Parameters, columns_T: Tensor) -> Tensor:
    assert isinstance(spec.position, FactoredPositions)
    period = spec.position.period
    slot_RTD = given["position_embedding.slot.weight"].index_select(1, columns_T % period)
    return slot_RTD + given["position_embedding.group.weight"].index_select(1, columns_T // period)


POSITION_ROWS: dict[type[PositionKind], Callable[[ModelSpec, Parameters, Tensor], Tensor | None]] = {
    LearnedPositions: _learned,
    SinusoidalPositions: _sinusoidal,
    NoPositions: lambda spec, given, columns_T: None,
    FactoredPositions: _factored,
}
"""What the positions of each supported kind add to their tokens' rows: see StackedTransformer._places."""
