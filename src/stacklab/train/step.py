"""Trainer: a model with its optimiser, and one optimisation step."""

from dataclasses import dataclass

import torch
from torch import Tensor

from stacklab.base.streams import stream_seed
from stacklab.model.ops.linear_cross_entropy import IGNORE_INDEX, linear_cross_entropy
from stacklab.model.transformer import Transformer
from stacklab.train.optimizer import build_optimizer, clip_gradients, set_learning_rate
from stacklab.train.precision import autocast, loss_scaler, resolve
from stacklab.train.schedule import learning_rate
from stacklab.train.spec import TrainSpec


@dataclass
class Trainer:
    """A model with its optimiser. `seed` is the root of the dropout stream."""

    model: Transformer
    spec: TrainSpec
    seed: int

    def __post_init__(self) -> None:
        self.device = self.model.token_embedding.weight.device
        self.optimizer = build_optimizer(self.model, self.spec.optimizer)
        self.precision = resolve(self.spec.precision, self.device)
        self.scaler = loss_scaler(self.precision, self.device)

    def step(self, step: int, inputs_BT: Tensor, targets_BT: Tensor) -> tuple[float, float]:
        """Train on one batch. Returns loss and gradient norm.

        The loss is the mean cross-entropy in nats over the targets that are not IGNORE_INDEX; the norm is taken before
        clipping.
        """
        set_learning_rate(self.optimizer, learning_rate(self.spec, step))
        count = count_targets(targets_BT)
        parts = zip(*(torch.split(ids_BT, self.spec.micro_batch) for ids_BT in (inputs_BT, targets_BT)), strict=True)
        total = torch.zeros((), device=self.device)
        for index, (part_inputs_BT, part_targets_BT) in enumerate(parts):
            seed = stream_seed(self.seed, "dropout", step, index)
            share = count_targets(part_targets_BT) / count
            with autocast(self.precision, self.device):
                loss = self.loss(part_inputs_BT.to(self.device), part_targets_BT.to(self.device), seed) * share
            self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
            total += loss.detach()
        self.scaler.unscale_(self.optimizer)
        norm = clip_gradients(self.model, self.spec.optimizer.clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        return total.item(), norm.item()

    def loss(self, inputs_BT: Tensor, targets_BT: Tensor, dropout_seed: int | None) -> Tensor:
        """Mean cross-entropy over the targets that are not IGNORE_INDEX."""
        hidden_BTD, table_VD = self.model.with_head(inputs_BT, dropout_seed)
        return linear_cross_entropy(
            hidden_BTD.flatten(0, 1), table_VD, targets_BT.flatten(), chunk_rows=self.spec.loss_chunk_rows
        )


def count_targets(targets_BT: Tensor) -> int:
    """Number of targets that are not IGNORE_INDEX."""
    return int((targets_BT != IGNORE_INDEX).sum())
