"""The kinds of optimisers: their settings, their state, and what they can be combined with. No torch
here; optimizer.py builds them."""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from stacklab.base.spec import Items, Spec

DEFAULT_KIND = "adamw"
"""The kind of a configuration without one."""


class OptimizerSpec(Spec):
    """Settings of every kind. Weight decay acts on matrices and tables, not on norms and biases.

    clip_norm: gradients of a larger norm are scaled down to it; None never scales them.
    state: names of the tensors, as large as the parameter, that torch's optimiser keeps for each trained parameter.
    counters: names of its numbers per parameter. Both are saved in checkpoints; the former determine memory and disk.
    stacks: whether train/replicas can take its step for several runs at once.
    parametrisations: kinds of model.parametrisation whose factors for rates, decay and epsilon hold for it.
    """

    state: ClassVar[tuple[str, ...]] = ()
    counters: ClassVar[tuple[str, ...]] = ()
    stacks: ClassVar[bool] = False
    parametrisations: ClassVar[tuple[str, ...]] = ("standard",)

    kind: str
    learning_rate: float = Field(3e-4, gt=0)
    weight_decay: float = Field(0.1, ge=0)
    clip_norm: float | None = Field(1.0, gt=0)

    def check_parametrisation(self, kind: str) -> None:
        """Raises ValueError for a model.parametrisation whose factors do not hold for this kind."""
        if kind not in self.parametrisations:
            raise ValueError(
                f"train.optimizer.kind = {self.kind} has no rules for model.parametrisation.kind = {kind}, only for "
                f"{', '.join(self.parametrisations)}"
            )

    def checkpoint_bytes(self, parameters: int) -> int:
        """Bytes of a checkpoint in fp32: the weights and the optimiser's state."""
        return 4 * (1 + len(self.state)) * parameters


class AdamWSpec(OptimizerSpec):
    """AdamW (Loshchilov and Hutter 2019)."""

    state: ClassVar[tuple[str, ...]] = ("exp_avg", "exp_avg_sq")
    counters: ClassVar[tuple[str, ...]] = ("step",)
    stacks: ClassVar[bool] = True
    parametrisations: ClassVar[tuple[str, ...]] = ("standard", "mup")

    # Left out of dumps, so that runs made before there were kinds keep their ids.
    kind: Literal["adamw"] = Field("adamw", exclude=True)
    betas: Items[float] = (0.9, 0.95)
    epsilon: float = Field(1e-8, gt=0)

    @model_validator(mode="after")
    def _two_betas(self) -> Self:
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas must be two numbers in [0, 1), got {list(self.betas)}")
        return self


def optimizer_kind(value: Any) -> str:
    """The tag of a kind. In parentheses, to set it apart from keys in the path of a validation error."""
    kind = value.get("kind", DEFAULT_KIND) if isinstance(value, dict) else getattr(value, "kind", DEFAULT_KIND)
    return f"({kind})"


AnyOptimizer = Annotated[
    Annotated[AdamWSpec, Tag("(adamw)")],
    Discriminator(optimizer_kind),
]
"""A member for each kind; any other is refused."""
