"""Where norms are placed around a sub-layer, and how its output joins the residual stream. No torch here."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field

from stacklab.base.spec import Spec
from stacklab.model.positions.kind import name_to_kind

if TYPE_CHECKING:
    from torch import Tensor

    Map = Callable[[Tensor], Tensor]
    Add = Callable[[Tensor, Tensor], Tensor]

PlacementName = Literal["pre", "post", "none", "sandwich", "peri", "reordered"]


@dataclass(frozen=True)
class Placement:
    """One placement of norms.

    rule: the new stream, from the stream x, the sub-layer f, the residual rule's `add`, which joins the stream and a
    branch, and the sub-layer's norms.
    order: the steps of the rule, as shown in the diagram of the architecture: "branch" is f, "add" the residual
    addition, and every other step is the name of a norm, which ends in "norm".
    final_norm: whether there is a norm before the head unless the settings say otherwise.
    embedding_norm: whether the embeddings, with positions added, are normed before the first layer.
    stacks: StackedTransformer supports the placement.
    depth_rule: the rule for depth of maximal-update parametrisation holds.
    """

    rule: "Callable[..., Tensor]"
    order: tuple[str, ...]
    final_norm: bool = False
    embedding_norm: bool = False
    stacks: bool = False
    depth_rule: bool = False

    @property
    def norms(self) -> tuple[str, ...]:
        """The norms of a sub-layer, in the order in which the rule takes them."""
        return tuple(step for step in self.order if step.endswith("norm"))

    @property
    def norms_branch(self) -> bool:
        """Whether the last step before the addition is a norm."""
        return self.order[self.order.index("add") - 1].endswith("norm")

    @property
    def norm_first(self) -> bool:
        """Whether a norm precedes the sub-layer."""
        return self.order.index("branch") > 0


def pre(x: "Tensor", f: "Map", add: "Add", norm: "Map") -> "Tensor":
    return add(x, f(norm(x)))


def post(x: "Tensor", f: "Map", add: "Add", norm: "Map") -> "Tensor":
    return norm(add(x, f(x)))


def none(x: "Tensor", f: "Map", add: "Add") -> "Tensor":
    return add(x, f(x))


def sandwich(x: "Tensor", f: "Map", add: "Add", norm: "Map", after_norm: "Map") -> "Tensor":
    return add(x, after_norm(f(norm(x))))


def reordered(x: "Tensor", f: "Map", add: "Add", norm: "Map") -> "Tensor":
    return add(x, norm(f(x)))


SANDWICH = ("norm", "branch", "after_norm", "add")
PLACEMENTS: dict[PlacementName, Placement] = {
    "pre": Placement(pre, ("norm", "branch", "add"), final_norm=True, stacks=True, depth_rule=True),
    "post": Placement(post, ("branch", "add", "norm"), stacks=True),
    "none": Placement(none, ("branch", "add"), stacks=True),
    "sandwich": Placement(sandwich, SANDWICH, final_norm=True),
    "peri": Placement(sandwich, SANDWICH, final_norm=True, embedding_norm=True),
    "reordered": Placement(reordered, ("branch", "norm", "add"), final_norm=True),
}
"""By name. Sandwich-LN: Ding et al. 2021 (CogView, arXiv 2105.13290). Peri-LN, which also norms the embeddings: Kim et
al. 2025 (arXiv 2502.02732). Reordered: OLMo 2 (arXiv 2501.00656)."""


class ResidualKind(Spec):
    """A residual rule: how the output of a sub-layer, its branch, joins the stream: a x + b f(x).

    S is the number of branches of the stack: two in a layer with a feed-forward, one in a layer without.

    trained: every branch has a trained factor of its own, which starts at 0.
    placements: the placements of norms for which the rule is defined; None means all.
    """

    trained: ClassVar[bool] = False
    placements: ClassVar[tuple[PlacementName, ...] | None] = None

    kind: str

    def stream_factor(self, branches: int) -> float:
        """a, for a stack of S branches."""
        return 1.0

    def branch_factor(self, branches: int) -> float:
        """b, beside a trained factor, for a stack of S branches."""
        return 1.0

    def initial_factor(self, branches: int) -> float:
        """Factor of the initial deviation of the maps to values, after attention and of the feed-forward."""
        return 1.0

    def check(self, placement: PlacementName, *, initial: str, has_depth_rule: bool) -> None:
        """Raises ValueError for a placement without this rule, and where other settings scale the branches too.

        initial: that of InitSpec. has_depth_rule: the parametrisation has a rule for depth.
        """
        if self.placements is not None and placement not in self.placements:
            raise ValueError(
                f"residual.kind = {self.kind} is defined for norms after the addition, not for norm.placement = "
                f"{placement}; set norm.placement: {' or '.join(self.placements)}, or another residual.kind"
            )
        if self.kind == "plain":
            return
        if initial != "plain":
            raise ValueError(
                f"init.residual = {initial} and residual.kind = {self.kind} both scale the branches; "
                "set one of them to plain"
            )
        if has_depth_rule:
            raise ValueError(
                f"parametrisation.base_num_layers and residual.kind = {self.kind} both scale the branches with depth; "
                "set residual.kind: plain, or leave base_num_layers out"
            )

    def describe(self, branches: int) -> str:
        """The rule, as the diagram of the architecture prints it."""
        return f"residual, {self.kind}"


class PlainResidual(ResidualKind):
    """x + f(x)."""

    kind: Literal["plain"] = "plain"

    def describe(self, branches: int) -> str:
        return "residual"


class DepthScaledResidual(ResidualKind):
    """x + f(x) / sqrt(S), so that the stream's variance does not grow with depth (Noci et al. 2022, arXiv 2206.03126).

    Other than with init.residual: depth_scaled, the factor stays while the weights are trained.
    """

    kind: Literal["depth_scaled"] = "depth_scaled"

    def branch_factor(self, branches: int) -> float:
        return float(branches**-0.5)

    def describe(self, branches: int) -> str:
        return f"residual, branch / √{branches}"


class DeepNormResidual(ResidualKind):
    """norm(a x + f(x)) with a = (2 N)^(1/4), where the maps to values, after attention and of the feed-forward start
    smaller by (8 N)^(-1/4) (Wang et al. 2022, arXiv 2203.00555, figure 2, one stack of N layers). S stands for 2 N.
    """

    placements: ClassVar[tuple[PlacementName, ...] | None] = ("post",)

    kind: Literal["deepnorm"] = "deepnorm"

    def stream_factor(self, branches: int) -> float:
        return float(branches**0.25)

    def initial_factor(self, branches: int) -> float:
        return float((4 * branches) ** -0.25)

    def describe(self, branches: int) -> str:
        return f"residual, stream × {branches}^¼ (DeepNorm)"


class ReZeroResidual(ResidualKind):
    """x + b f(x), where every branch trains its own b, from 0 (Bachlechner et al. 2020, arXiv 2003.04887, equation 1).

    Their code for Transformers shares one b between the two branches of a layer.
    """

    trained: ClassVar[bool] = True

    kind: Literal["rezero"] = "rezero"

    def describe(self, branches: int) -> str:
        return "residual, branch × a trained factor (ReZero)"


RuleName = Literal["plain", "depth_scaled", "deepnorm", "rezero"]
AnyResidual = PlainResidual | DepthScaledResidual | DeepNormResidual | ReZeroResidual
Residual = Annotated[
    AnyResidual,
    Field(discriminator="kind"),
    BeforeValidator(name_to_kind, json_schema_input_type=AnyResidual | RuleName),
]
"""A residual rule with its settings."""
