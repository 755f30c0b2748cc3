"""A layer: attention and feed-forward, each with its norms and its residual."""

from collections.abc import Callable

from torch import Tensor, nn

from stacklab.base.streams import stream_seed
from stacklab.model.attention import Attention
from stacklab.model.cache import LayerDecoding
from stacklab.model.feed_forward import FeedForward
from stacklab.model.linear import LayerNorm, RMSNorm
from stacklab.model.ops.dropout import GENERATOR, dropout
from stacklab.model.parametrisation import residual_multiplier
from stacklab.model.residual import PLACEMENTS
from stacklab.model.sharing import SubLayer
from stacklab.model.spec import LayerSpec, ModelSpec

NORMS: dict[str, Callable[[ModelSpec], nn.Module]] = {
    "layer": lambda spec: LayerNorm(spec.d_model, eps=spec.norm.epsilon, bias=spec.norm.bias),
    "rms": lambda spec: RMSNorm(spec.d_model, eps=spec.norm.epsilon),
}


class Block(nn.Module):
    """Attention then feed-forward, each joined to the stream by the rule of the spec's placement: see residual.py.

    Where d_ff is 0 there is attention alone. Norms are named after their sub-layer: attention_norm.
    """

    def __init__(self, spec: ModelSpec, layer: LayerSpec) -> None:
        super().__init__()
        self.dropout = spec.dropout
        self.placement = PLACEMENTS[spec.norm.placement]
        self.residual_multiplier = residual_multiplier(spec)
        self._add_norms("attention", spec)
        self.attention = Attention(spec, layer)
        if layer.d_ff:
            self._add_norms("feed_forward", spec)
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
            return self._scaled(branch_BTD, _site(seed, "attention"), branch_scale)

        def feed(y_BTD: Tensor) -> Tensor:
            assert self.feed_forward is not None
            return self._scaled(self.feed_forward(y_BTD), _site(seed, "feed_forward"), branch_scale)

        # Norms and promotions may widen the stream; it leaves in the format in which it came.
        y_BTD = self.placement.rule(x_BTD, attend, *self._norms("attention"))
        if self.feed_forward is not None:
            y_BTD = self.placement.rule(y_BTD, feed, *self._norms("feed_forward"))
        return y_BTD.to(x_BTD.dtype)

    def share(self, part: SubLayer, other: "Block") -> None:
        """Compute with the sub-layer of another block and its norms, as the same modules."""
        for name, module in list(other.named_children()):
            if name == part or name.startswith(f"{part}_"):
                setattr(self, name, module)

    def _scaled(self, branch_BTD: Tensor, seed: int | None, scale: float) -> Tensor:
        """The output of a sub-layer after dropout and multipliers, as passed to the residual rule."""
        if seed is not None:
            branch_BTD = dropout(branch_BTD, self.dropout, seed)
        scale *= self.residual_multiplier
        return branch_BTD if scale == 1.0 else branch_BTD * scale

    def _add_norms(self, part: SubLayer, spec: ModelSpec) -> None:
        for name in self.placement.norms:
            self.add_module(f"{part}_{name}", build_norm(spec))

    def _norms(self, part: SubLayer) -> list[nn.Module]:
        return [getattr(self, f"{part}_{name}") for name in self.placement.norms]


def build_norm(spec: ModelSpec) -> nn.Module:
    """The spec's norm over the last axis, of width d_model."""
    return NORMS[spec.norm.kind](spec)


def _site(seed: int | None, name: str) -> int | None:
    return seed if seed is None or seed == GENERATOR else stream_seed(seed, name)
