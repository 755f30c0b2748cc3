"""Where norms are placed around a sub-layer, and how its output joins the residual stream. No torch here."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

    Map = Callable[[Tensor], Tensor]

PlacementName = Literal["pre", "post", "none"]


@dataclass(frozen=True)
class Placement:
    """One placement of norms.

    rule: the new stream, from the stream x, the sub-layer f and the sub-layer's norms.
    order: the steps of the rule, as shown in the diagram of the architecture: "branch" is f, "add" the residual
    addition, and every other step is the name of a norm, which ends in "norm".
    final_norm: whether there is a norm before the head unless the settings say otherwise.
    stacks: StackedTransformer supports the placement.
    depth_rule: the rule for depth of maximal-update parametrisation holds.
    """

    rule: "Callable[..., Tensor]"
    order: tuple[str, ...]
    final_norm: bool = False
    stacks: bool = False
    depth_rule: bool = False

    @property
    def norms(self) -> tuple[str, ...]:
        """The norms of a sub-layer, in the order in which the rule takes them."""
        return tuple(step for step in self.order if step.endswith("norm"))

    @property
    def norm_first(self) -> bool:
        """Whether a norm precedes the sub-layer."""
        return self.order.index("branch") > 0


def pre(x: "Tensor", f: "Map", norm: "Map") -> "Tensor":
    return x + f(norm(x))


def post(x: "Tensor", f: "Map", norm: "Map") -> "Tensor":
    return norm(x + f(x))


def none(x: "Tensor", f: "Map") -> "Tensor":
    return x + f(x)


PLACEMENTS: dict[PlacementName, Placement] = {
    "pre": Placement(pre, ("norm", "branch", "add"), final_norm=True, stacks=True, depth_rule=True),
    "post": Placement(post, ("branch", "add", "norm"), stacks=True),
    "none": Placement(none, ("branch", "add"), stacks=True),
}
