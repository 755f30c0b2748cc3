"""Builds optimisers, with a group of tensors per rate, decay and epsilon; clips gradients; converts optimiser state to
named tensors and back."""

from functools import singledispatch
from typing import Any

import torch
from torch import Tensor, nn

from stacklab.model.parametrisation import epsilon_factor, learning_rate_factor, weight_decay_factor
from stacklab.model.transformer import Transformer
from stacklab.train.optimizer_spec import AdamWSpec, OptimizerSpec

Groups = list[dict[str, Any]]
"""Parameter groups as torch takes them: params, weight_decay, and the rate_factor and epsilon_factor that the model's
parametrisation sets for them."""


@singledispatch
def from_groups(spec: OptimizerSpec, groups: Groups) -> torch.optim.Optimizer:
    """Torch's optimiser of a kind. The learning rate is set before every step."""
    raise TypeError(f"train/optimizer.py does not build optimizer.kind = {spec.kind}")


@from_groups.register
def _(spec: AdamWSpec, groups: Groups) -> torch.optim.Optimizer:
    first, second = spec.betas
    scaled = [group | {"eps": spec.epsilon * group["epsilon_factor"]} for group in groups]
    return torch.optim.AdamW(scaled, betas=(first, second), fused=True)


def build_optimizer(model: Transformer, spec: OptimizerSpec) -> torch.optim.Optimizer:
    """The optimiser of a model. Matrices and tables are decayed; norms, biases and identity terms are not.

    Frozen tables are left out. The factors per tensor are those of the model's parametrisation.
    """
    groups: dict[tuple[float, float, float], list[nn.Parameter]] = {}
    for name, parameter in _trained(model).items():
        decay = spec.weight_decay * weight_decay_factor(model.spec, name) if parameter.ndim >= 2 else 0.0
        key = learning_rate_factor(model.spec, name), decay, epsilon_factor(model.spec, name)
        groups.setdefault(key, []).append(parameter)
    optimizer = from_groups(
        spec,
        [
            {"params": parameters, "rate_factor": rate, "weight_decay": decay, "epsilon_factor": epsilon}
            for (rate, decay, epsilon), parameters in groups.items()
        ],
    )
    set_learning_rate(optimizer, spec.learning_rate)
    return optimizer


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set `rate` times the factor of each group."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["rate_factor"]


def clip_gradients(model: nn.Module, limit: float | None) -> Tensor:
    """Scale the gradients down to norm `limit`; returns the norm before."""
    return torch.nn.utils.clip_grad_norm_(model.parameters(), float("inf") if limit is None else limit)


def optimizer_tensors(model: nn.Module, optimizer: torch.optim.Optimizer, spec: OptimizerSpec) -> dict[str, Tensor]:
    """The state by parameter name, for a checkpoint: for AdamW `name/step`, `name/exp_avg`, `name/exp_avg_sq`.

    Empty before the first step. Raises TypeError for state that the kind does not declare: a resume would lose it.
    """
    tensors: dict[str, Tensor] = {}
    for name, parameter in _trained(model).items():
        state = optimizer.state[parameter]
        if state and set(state) != {*spec.counters, *spec.state}:
            raise TypeError(f"optimizer.kind = {spec.kind} keeps {', '.join(state)}, which its spec does not declare")
        tensors |= {f"{name}/{key}": value for key, value in state.items()}
    return tensors


def load_optimizer_tensors(
    model: nn.Module, optimizer: torch.optim.Optimizer, spec: OptimizerSpec, tensors: dict[str, Tensor]
) -> None:
    """Restore the state from `optimizer_tensors`. Raises KeyError for a missing tensor."""
    if not tensors:
        return
    for name, parameter in _trained(model).items():
        # Torch's fused steps count on the device, its other ones on the CPU.
        counting = parameter.device if optimizer.defaults.get("fused") else torch.device("cpu")
        counters = {key: tensors[f"{name}/{key}"].to(counting, copy=True) for key in spec.counters}
        state = {key: tensors[f"{name}/{key}"].to(parameter.device, copy=True) for key in spec.state}
        optimizer.state[parameter] = counters | state


def _trained(model: nn.Module) -> dict[str, nn.Parameter]:
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
