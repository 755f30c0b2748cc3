"""Builds optimisers, with a group of tensors per rate, decay and epsilon; clips gradients; converts optimiser state to
named tensors and back."""

from collections.abc import Mapping, Sequence
from functools import singledispatch
from typing import Any

import torch
from torch import Tensor, nn

from stacklab.model.parametrisation import epsilon_factor, learning_rate_factor, weight_decay_factor
from stacklab.model.transformer import Transformer
from stacklab.train.device import on_device
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
    """Restore the state from `optimizer_tensors`: none of a parameter that has had no gradient yet, of a layer that was
    dropped so far. Raises KeyError for a missing tensor."""
    begun = {name.rpartition("/")[0] for name in tensors}
    for name, parameter in _trained(model).items():
        if name not in begun:
            continue
        # Torch's fused steps count on the device, its other ones on the CPU.
        counting = parameter.device if optimizer.defaults.get("fused") else torch.device("cpu")
        counters = {key: tensors[f"{name}/{key}"].to(counting, copy=True) for key in spec.counters}
        state = {key: tensors[f"{name}/{key}"].to(parameter.device, copy=True) for key in spec.state}
        optimizer.state[parameter] = counters | state


def _trained(model: nn.Module) -> dict[str, nn.Parameter]:
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


BLOCK = 16
"""Tensors start at multiples of BLOCK floats, which aligns them to cache lines."""


class Layout:
    """Where each tensor starts in a run's row, and its shape. width: that of a row, in floats."""

    def __init__(self, shapes: Mapping[str, torch.Size]) -> None:
        self.spans: dict[str, tuple[int, torch.Size]] = {}
        self.width = 0
        for name, shape in shapes.items():
            self.spans[name] = (self.width, shape)
            self.width += -(-shape.numel() // BLOCK) * BLOCK

    def view(self, buffer_RP: Tensor, name: str) -> Tensor:
        """The tensor of every run [R, ...], as part of the buffer."""
        start, shape = self.spans[name]
        return buffer_RP.detach()[:, start : start + shape.numel()].view(-1, *shape)


class StackedAdamW:
    """The moments of the runs, and their step. updates: number of steps that each run has taken.

    Each run has its own settings, number of steps and clipping. Nothing waits for the device.
    """

    def __init__(self, specs: Sequence[AdamWSpec], layout: Layout, device: torch.device) -> None:
        self.mean_RP, self.square_RP = (torch.zeros(len(specs), layout.width, device=device) for _ in range(2))
        self.updates = [0] * len(specs)
        self._betas, self._device = [spec.betas for spec in specs], device
        clip_R = torch.tensor([float("inf") if spec.clip_norm is None else spec.clip_norm for spec in specs])
        self._clip_R = clip_R.to(device)
        self._fresh_R1, self._second_R1, self._epsilon_R1 = (
            torch.tensor(values, dtype=torch.float32)[:, None].to(device)
            for values in (
                [1 - first for first, _ in self._betas],
                [second for _, second in self._betas],
                [spec.epsilon for spec in specs],
            )
        )
        self._decay_RP = _decay_RP(specs, layout, device)

    @torch.no_grad()
    def step(self, weights_RP: Tensor, grad_RP: Tensor, rates: Sequence[float]) -> Tensor:
        """Clip and take a step in place, as torch.optim.AdamW(fused=True) does; returns the norms before clipping."""
        norm_R: Tensor = torch.linalg.vector_norm(grad_RP, dim=1)
        grad_RP *= (self._clip_R / (norm_R + 1e-6)).clamp(max=1.0)[:, None]
        self.updates = [count + 1 for count in self.updates]
        step_R1, root_R1, rate_R1 = self._factors(rates)
        if self._decay_RP is not None:
            weights_RP.mul_(1 - rate_R1 * self._decay_RP)
        self.mean_RP.lerp_(grad_RP, self._fresh_R1)
        self.square_RP.mul_(self._second_R1).addcmul_(grad_RP, grad_RP * (1 - self._second_R1))
        bottom_RP = self.square_RP.sqrt().div_(root_R1).add_(self._epsilon_R1)
        weights_RP.sub_(self.mean_RP.div(bottom_RP).mul_(step_R1))
        return norm_R

    def _factors(self, rates: Sequence[float]) -> tuple[Tensor, ...]:
        """Step sizes, roots of the second moment's bias correction, and rates, [R, 1] each."""
        rows = [
            (rate / (1 - first**count), (1 - second**count) ** 0.5, rate)
            for rate, count, (first, second) in zip(rates, self.updates, self._betas, strict=True)
        ]
        factors_R13 = on_device(torch.tensor(rows, dtype=torch.float32)[:, None], self._device)
        return factors_R13.unbind(2)


def _decay_RP(specs: Sequence[AdamWSpec], layout: Layout, device: torch.device) -> Tensor | None:
    """The weight decay of every number: that of matrices and tables; None where there is none."""
    if not any(spec.weight_decay for spec in specs):
        return None
    decay_RP = torch.zeros(len(specs), layout.width, device=device)
    decay_R1 = torch.tensor([spec.weight_decay for spec in specs])[:, None].to(device)
    for start, shape in layout.spans.values():
        if len(shape) >= 2:
            decay_RP[:, start : start + shape.numel()] = decay_R1
    return decay_RP
