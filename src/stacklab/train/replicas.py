"""Runs of equal shape, trained together over stacked parameters: one step of all of them at once.

Each replica has its own weights, batches, number of steps done, optimiser settings and clipping. On one thread its
numbers are the same, bit for bit, in any stack; they differ from Trainer's by rounding.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from stacklab.model.ops.linear_cross_entropy import IGNORE_INDEX
from stacklab.model.stacked.transformer import StackedTransformer
from stacklab.train.optimizer_spec import AdamWSpec
from stacklab.train.schedule import learning_rate
from stacklab.train.step import Trainer

BLOCK = 16
"""Tensors start at multiples of BLOCK floats, which aligns them to cache lines."""


class Replicas:
    """The trainers' models and optimisers, copied into stacks; `unload` copies them back.

    Models must differ in their weights only, have no dropout and be on a CPU; micro-batches are not supported.
    """

    def __init__(self, trainers: Sequence[Trainer]) -> None:
        self.trainers = list(trainers)
        self.network = StackedTransformer(trainers[0].model.spec)
        self._named = [dict(trainer.model.named_parameters()) for trainer in trainers]
        self._spans = _spans({name: one for name, one in self._named[0].items() if one.requires_grad})
        self._weights_RP, self._mean_RP, self._square_RP = (
            torch.zeros(len(trainers), _width(self._spans)) for _ in range(3)
        )
        self._parameters = {
            name: self._view(self._weights_RP, name).requires_grad_()
            if name in self._spans
            else torch.stack([named[name].detach() for named in self._named])
            for name in self._named[0]
        }
        self._updates = [0] * len(trainers)
        for replica in range(len(trainers)):
            self._load(replica)
        self._settings = _Settings(self.trainers, self._spans)

    def step(self, steps: Sequence[int], inputs_RBT: Tensor, targets_RBT: Tensor) -> list[tuple[float, float]]:
        """Train each replica on its own batch as its own step `steps[r]`. Loss and gradient norm of each.

        The loss is the mean cross-entropy in nats over the targets that are not IGNORE_INDEX; the norm is taken before
        clipping.
        """
        columns_C = (targets_RBT != IGNORE_INDEX).flatten(0, 1).any(0).nonzero()[:, 0]
        targets_RN = targets_RBT.index_select(2, columns_C).flatten(1)
        logits_RBCV = self.network.logits(self._parameters, inputs_RBT, columns_C)
        loss_N = F.cross_entropy(
            logits_RBCV.flatten(0, 2), targets_RN.flatten(), ignore_index=IGNORE_INDEX, reduction="none"
        )
        loss_R = loss_N.view(targets_RN.shape).double().sum(1) / (targets_RN != IGNORE_INDEX).sum(1)
        norm_R = self._update(steps, self._gradient_RP(loss_R.sum()))
        return list(zip(loss_R.tolist(), norm_R.tolist(), strict=True))

    @torch.inference_mode()
    def logits(self, ids_BT: Tensor, columns_C: Tensor) -> Tensor:
        """logits_RBCV of the same sequences through every replica, at some columns."""
        return self.network.logits(self._parameters, ids_BT.expand(len(self.trainers), -1, -1), columns_C)

    def unload(self, replica: int) -> None:
        """Copy a replica back into its trainer, as if the trainer had taken the steps."""
        trainer, named = self.trainers[replica], self._named[replica]
        for name in self._spans:
            with torch.no_grad():
                named[name].copy_(self._view(self._weights_RP, name)[replica])
            if self._updates[replica]:
                moments = (self._view(buffer, name)[replica].clone() for buffer in (self._mean_RP, self._square_RP))
                step = torch.tensor(float(self._updates[replica]))
                trainer.optimizer.state[named[name]] = {
                    "step": step,
                    **dict(zip(AdamWSpec.state, moments, strict=True)),
                }

    def _load(self, replica: int) -> None:
        trainer, named = self.trainers[replica], self._named[replica]
        for name in self._spans:
            state: dict[str, Any] = trainer.optimizer.state.get(named[name], {})
            with torch.no_grad():
                self._view(self._weights_RP, name)[replica] = named[name]
            for key, buffer in zip(AdamWSpec.state, (self._mean_RP, self._square_RP), strict=True):
                if state:
                    self._view(buffer, name)[replica] = state[key]
                    self._updates[replica] = int(state["step"])

    def _view(self, buffer_RP: Tensor, name: str) -> Tensor:
        start, shape = self._spans[name]
        return buffer_RP.detach()[:, start : start + shape.numel()].view(-1, *shape)

    def _gradient_RP(self, loss: Tensor) -> Tensor:
        # Each loss depends on its own replica's weights only, so the gradient of the sum is the gradient of each.
        leaves = [self._parameters[name] for name in self._spans]
        grads = torch.autograd.grad(loss, leaves, allow_unused=True, materialize_grads=True)
        pieces = []
        for grad in grads:
            pieces.append(F.pad(grad.flatten(1), (0, -grad[0].numel() % BLOCK)))
        return torch.cat(pieces, 1)

    @torch.no_grad()
    def _update(self, steps: Sequence[int], grad_RP: Tensor) -> Tensor:
        """Clip and take a step of AdamW in place, as torch.optim.AdamW(fused=True) does; returns the norms."""
        norm_R: Tensor = torch.linalg.vector_norm(grad_RP, dim=1)
        settings = self._settings
        grad_RP *= (settings.clip_R / (norm_R + 1e-6)).clamp(max=1.0)[:, None]
        self._updates = [count + 1 for count in self._updates]
        rates = [learning_rate(trainer.spec, step) for trainer, step in zip(self.trainers, steps, strict=True)]
        step_R1, root_R1 = settings.corrections(rates, self._updates)
        if settings.decay_RP is not None:
            self._weights_RP.mul_(1 - torch.tensor(rates)[:, None] * settings.decay_RP)
        self._mean_RP.lerp_(grad_RP, settings.fresh_R1)
        self._square_RP.mul_(settings.second_R1).addcmul_(grad_RP, grad_RP * (1 - settings.second_R1))
        bottom_RP = self._square_RP.sqrt().div_(root_R1).add_(settings.epsilon_R1)
        self._weights_RP.sub_(self._mean_RP.div(bottom_RP).mul_(step_R1))
        return norm_R


class _Settings:
    """The settings of AdamW and of clipping, per replica."""

    def __init__(self, trainers: Sequence[Trainer], spans: dict[str, tuple[int, torch.Size]]) -> None:
        specs = [_adamw(trainer) for trainer in trainers]
        self.betas = [spec.betas for spec in specs]
        self.clip_R = torch.tensor([float("inf") if spec.clip_norm is None else spec.clip_norm for spec in specs])
        self.fresh_R1 = torch.tensor([1 - first for first, _ in self.betas])[:, None]
        self.second_R1 = torch.tensor([second for _, second in self.betas])[:, None]
        self.epsilon_R1 = torch.tensor([spec.epsilon for spec in specs])[:, None]
        self.decay_RP: Tensor | None = None
        if any(spec.weight_decay for spec in specs):
            self.decay_RP = torch.zeros(len(specs), _width(spans))
            for start, shape in spans.values():
                if len(shape) >= 2:
                    decays = torch.tensor([spec.weight_decay for spec in specs])
                    self.decay_RP[:, start : start + shape.numel()] = decays[:, None]

    def corrections(self, rates: Sequence[float], updates: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Step sizes, and roots of the second moment's bias correction, [R, 1] each."""
        rows = [
            (rate / (1 - first**count), (1 - second**count) ** 0.5)
            for rate, count, (first, second) in zip(rates, updates, self.betas, strict=True)
        ]
        sizes, roots = torch.tensor(rows, dtype=torch.float32)[:, None].unbind(2)
        return sizes, roots


def _adamw(trainer: Trainer) -> AdamWSpec:
    spec = trainer.spec.optimizer
    assert isinstance(spec, AdamWSpec), f"optimizer.kind = {spec.kind} has no stacked step; run/stacking refuses it"
    return spec


def _spans(trained: dict[str, torch.nn.Parameter]) -> dict[str, tuple[int, torch.Size]]:
    """Where each tensor starts in a replica's row, and its shape."""
    spans, start = {}, 0
    for name, parameter in trained.items():
        spans[name] = (start, parameter.shape)
        start += -(-parameter.numel() // BLOCK) * BLOCK
    return spans


def _width(spans: dict[str, tuple[int, torch.Size]]) -> int:
    start, shape = list(spans.values())[-1]
    return start + -(-shape.numel() // BLOCK) * BLOCK
