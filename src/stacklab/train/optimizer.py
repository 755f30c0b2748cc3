"""AdamW with a group per rate, decay and epsilon, gradient clipping, and the optimiser's state as named tensors."""

import torch
from torch import Tensor, nn

from stacklab.model.parametrisation import epsilon_factor, learning_rate_factor, weight_decay_factor
from stacklab.model.transformer import Transformer
from stacklab.train.spec import OptimizerSpec


def build_optimizer(model: Transformer, spec: OptimizerSpec) -> torch.optim.AdamW:
    """Matrices and tables are decayed; norms, biases and identity terms are not. Frozen tables are left out.

    Factors per tensor: the model's parametrisation.
    """
    groups: dict[tuple[float, float, float], list[nn.Parameter]] = {}
    for name, parameter in _trained(model).items():
        decay = spec.weight_decay * weight_decay_factor(model.spec, name) if parameter.ndim >= 2 else 0.0
        factors = learning_rate_factor(model.spec, name), decay, spec.epsilon * epsilon_factor(model.spec, name)
        groups.setdefault(factors, []).append(parameter)
    first, second = spec.betas
    optimizer = torch.optim.AdamW(
        [
            {"params": parameters, "rate_factor": factor, "weight_decay": decay, "eps": epsilon}
            for (factor, decay, epsilon), parameters in groups.items()
        ],
        betas=(first, second),
        fused=True,
    )
    set_learning_rate(optimizer, spec.learning_rate)
    return optimizer


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """The study's rate, times the factor of each group."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["rate_factor"]


def clip_gradients(model: nn.Module, limit: float | None) -> Tensor:
    """Scale the gradients down to norm `limit`; returns the norm before."""
    return torch.nn.utils.clip_grad_norm_(model.parameters(), float("inf") if limit is None else limit)


def optimizer_tensors(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The state by parameter name, for a checkpoint: `name/exp_avg`, `name/exp_avg_sq`, `name/step`."""
    tensors = {}
    for name, parameter in _trained(model).items():
        for key, value in optimizer.state[parameter].items():
            tensors[f"{name}/{key}"] = value
    return tensors


def load_optimizer_tensors(model: nn.Module, optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Put back what `optimizer_tensors` gave. Raises KeyError for a missing tensor."""
    if not tensors:
        return
    for name, parameter in _trained(model).items():
        optimizer.state[parameter] = {
            key: tensors[f"{name}/{key}"].to(parameter.device if key != "step" else "cpu", copy=True)
            for key in ("step", "exp_avg", "exp_avg_sq")
        }


def _trained(model: nn.Module) -> dict[str, nn.Parameter]:
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
