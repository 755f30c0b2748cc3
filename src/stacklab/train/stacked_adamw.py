"""A step of AdamW and of clipping for several runs at once, over rows of one buffer: a row per run."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from stacklab.train.device import on_device
from stacklab.train.optimizer_spec import AdamWSpec

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
