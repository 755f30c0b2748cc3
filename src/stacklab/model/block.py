"""A layer: attention and feed-forward, each with its norms and its residual."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from stacklab.base.streams import stream_seed
from stacklab.model.attention import Attention
from stacklab.model.cache import LayerDecoding
from stacklab.model.feed_forward import FeedForward
from stacklab.model.linear import build_norm
from stacklab.model.ops.dropout import GENERATOR, dropout
from stacklab.model.parametrisation import branch_multiplier
from stacklab.model.residual import PLACEMENTS
from stacklab.model.sharing import SubLayer
from stacklab.model.spec import LayerSpec, ModelSpec


class Block(nn.Module):
    """Attention then feed-forward, each joined to the stream by the spec's placement and residual rule: residual.py.

    Where d_ff is 0 there is attention alone. Norms and trained factors of branches are named after their sub-layer:
    attention_norm, attention_factor.
    """

    def __init__(self, spec: ModelSpec, layer: LayerSpec) -> None:
        super().__init__()
        self.dropout = spec.dropout
        self.placement = PLACEMENTS[spec.norm.placement]
        self.stream_factor = spec.residual.stream_factor(spec.num_branches)
        self.branch_factor, self.has_factors = branch_multiplier(spec), spec.residual.trained
        self._add_parameters("attention", spec)
        self.attention = Attention(spec, layer)
        if layer.d_ff:
            self._add_parameters("feed_forward", spec)
        self.feed_forward = FeedForward(spec, layer) if layer.d_ff else None

    def forward(
        self,
        x_BTD: Tensor,
        seed: int | None,
        branch_scale: float = 1.0,
        decoding: LayerDecoding | None = None,
        positions_BT: Tensor | None = None,
    ) -> Tensor:
        """`seed` addresses this layer's dropout stream; None evaluates. `branch_scale`: see ModelSpec.layer_drop.
        `decoding`, `positions_BT`: see Attention.forward."""

        def attend(y_BTD: Tensor) -> Tensor:
            branch_BTD = self.attention(y_BTD, _site(seed, "probabilities"), decoding, positions_BT)
            return self._dropped(branch_BTD, _site(seed, "attention"))

        def feed(y_BTD: Tensor) -> Tensor:
            assert self.feed_forward is not None
            return self._dropped(self.feed_forward(y_BTD), _site(seed, "feed_forward"))

        # Norms and promotions may widen the stream; it leaves in the format in which it came.
        y_BTD = self.placement.rule(x_BTD, attend, self._adding("attention", branch_scale), *self._norms("attention"))
        if self.feed_forward is not None:
            add = self._adding("feed_forward", branch_scale)
            y_BTD = self.placement.rule(y_BTD, feed, add, *self._norms("feed_forward"))
        return y_BTD.to(x_BTD.dtype)

    def share(self, part: SubLayer, other: "Block") -> None:
        """Compute with the sub-layer of another block and its norms, as the same modules."""
        for name, module in list(other.named_children()):
            if name == part or name.startswith(f"{part}_"):
                setattr(self, name, module)

    def _dropped(self, branch_BTD: Tensor, seed: int | None) -> Tensor:
        """The output of a sub-layer after dropout."""
        return branch_BTD if seed is None else dropout(branch_BTD, self.dropout, seed)

    def _adding(self, part: SubLayer, branch_scale: float) -> Callable[[Tensor, Tensor], Tensor]:
        """The residual rule of a sub-layer: see ResidualKind. Norms within the branch do not undo its factors."""
        scale = branch_scale * self.branch_factor
        trained: Tensor | None = getattr(self, f"{part}_factor") if self.has_factors else None

        def add(x_BTD: Tensor, branch_BTD: Tensor) -> Tensor:
            if scale != 1.0:
                branch_BTD = branch_BTD * scale
            if trained is not None:
                branch_BTD = branch_BTD * trained
            return (x_BTD if self.stream_factor == 1.0 else x_BTD * self.stream_factor) + branch_BTD

        return add

    def _add_parameters(self, part: SubLayer, spec: ModelSpec) -> None:
        """The norms and the trained factor of a sub-layer."""
        for name in self.placement.norms:
            self.add_module(f"{part}_{name}", build_norm(spec.norm, spec.d_model))
        if self.has_factors:
            self.register_parameter(f"{part}_factor", nn.Parameter(torch.empty(1)))

    def _norms(self, part: SubLayer) -> list[nn.Module]:
        return [getattr(self, f"{part}_{name}") for name in self.placement.norms]


def _site(seed: int | None, name: str) -> int | None:
    return seed if seed is None or seed == GENERATOR else stream_seed(seed, name)
