"""The feed-forward of a layer."""

from collections.abc import Callable
from functools import partial

import torch.nn.functional as F
from torch import Tensor, nn

from stacklab.model.linear import Linear
from stacklab.model.spec import LayerSpec, ModelSpec

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,
    "gelu_tanh": partial(F.gelu, approximate="tanh"),
    "relu": F.relu,
    "silu": F.silu,
}


class FeedForward(nn.Module):
    """Two linear maps with an activation between them, applied at each position.

    Where it is gated, the rows of `expand` are first those of the gate, to which the activation applies, then those
    that it multiplies.
    """

    def __init__(self, spec: ModelSpec, layer: LayerSpec) -> None:
        super().__init__()
        self.activation = ACTIVATIONS[spec.activation]
        self.is_gated = spec.feed_forward == "gated"
        rows = 2 * layer.d_ff if self.is_gated else layer.d_ff
        self.expand = Linear(spec.d_model, rows, bias=spec.linear_bias.feed_forward)
        self.output = Linear(layer.d_ff, spec.d_model, bias=spec.linear_bias.feed_forward)

    def forward(self, x_BTD: Tensor) -> Tensor:
        y_BTD: Tensor = self.output(self._inner(self.expand(x_BTD)))
        return y_BTD

    def _inner(self, expanded: Tensor) -> Tensor:
        if not self.is_gated:
            return self.activation(expanded)
        gate_BTF, up_BTF = expanded.chunk(2, -1)
        return self.activation(gate_BTF) * up_BTF
