"""AdamW with two groups, gradient clipping, and the optimiser's state as named tensors."""

import torch
from torch import Tensor, nn

from stacklab.train.spec import OptimizerSpec


def build_optimizer(model: nn.Module, spec: OptimizerSpec) -> torch.optim.AdamW:
    """Matrices and tables are decayed; norms, biases and identity terms are not. Frozen tables are left out."""
    trained = list(_trained(model).values())
    decayed = [parameter for parameter in trained if parameter.ndim >= 2]
    plain = [parameter for parameter in trained if parameter.ndim < 2]
    groups = [{"params": decayed, "weight_decay": spec.weight_decay}, {"params": plain, "weight_decay": 0.0}]
    first, second = spec.betas
    return torch.optim.AdamW(
        [group for group in groups if group["params"]],
        lr=spec.learning_rate,
        betas=(first, second),
        eps=spec.epsilon,
        fused=True,
    )


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate


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
