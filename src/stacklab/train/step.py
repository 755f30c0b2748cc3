"""Trainer: a model with its optimiser, and one optimisation step."""

import time
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from stacklab.base.streams import stream_seed
from stacklab.model.ops import flex
from stacklab.model.ops.linear_cross_entropy import IGNORE_INDEX, linear_cross_entropy
from stacklab.model.transformer import Computation, Transformer
from stacklab.train.device import choose, masks_from, on_device
from stacklab.train.distributed import ALONE, World
from stacklab.train.optimizer import build_optimizer, clip_gradients, set_learning_rate
from stacklab.train.schedule import learning_rate
from stacklab.train.spec import TrainSpec

BACKEND = "inductor"
MOST_GRAPHS = 128
"""Compiled forms of a block that are kept. Beyond them torch would refuse a new shape."""


class StepClock:
    """Seconds of steps whose numbers are read after the next one is launched."""

    def __init__(self) -> None:
        self._last_read = 0.0

    def read(self, began: float) -> float:
        """Seconds of a step whose numbers have just been read: from when it was launched (by time.perf_counter) or, if
        that is later, from when the one before it was read."""
        since, self._last_read = max(began, self._last_read), time.perf_counter()
        return self._last_read - since


class Sequences(NamedTuple):
    """Input ids [B, T] and target ids [B, T], which are IGNORE_INDEX where no loss is taken.

    positions: of packed records, the position [B, T] of each input in its record; None for sequences of one record.
    """

    inputs: np.ndarray
    targets: np.ndarray
    positions: np.ndarray | None = None

    @classmethod
    def of_blocks(cls, tokens: np.ndarray) -> Self:
        """Every token of `tokens` [B, T + 1] predicts the next one."""
        return cls(tokens[:, :-1], tokens[:, 1:])

    @property
    def tensors(self) -> tuple[Tensor, Tensor, Tensor | None]:
        """The three on the CPU, without a copy."""
        inputs, targets = torch.from_numpy(self.inputs), torch.from_numpy(self.targets)
        return inputs, targets, None if self.positions is None else torch.from_numpy(self.positions)


@dataclass
class Trainer:
    """A model with its optimiser. `seed` is the root of the dropout stream. `world`: the processes that share a batch.

    reads_late: whether the loop reads the numbers of a step after it has launched the next one.
    """

    model: Transformer
    spec: TrainSpec
    seed: int
    world: World = ALONE

    def __post_init__(self) -> None:
        self.micro_batch = self.spec.micro_batch_on(self.world.size)
        self.device = self.model.token_embedding.weight.device
        self.choice = choose(self.spec, self.device)
        self.optimizer = build_optimizer(self.model, self.spec.optimizer)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.choice.precision == "fp16")
        dtype = self.choice.product_dtype
        self.model.compute_with(
            Computation(
                product_dtype=dtype,
                stream_dtype=dtype if self.spec.residual == "products" else None,
                uses_generator=masks_from(self.choice) == "generator",
            )
        )
        if self.choice.compiled:
            compile_blocks(self.model)
        self.reads_late = self.device.type != "cpu"
        self.clock = StepClock()

    def step(
        self, step: int, inputs_BT: Tensor, targets_BT: Tensor, positions_BT: Tensor | None = None
    ) -> tuple[float, float]:
        """Train on one batch, of which this rank takes its rows. Returns loss and gradient norm.

        The loss is the mean cross-entropy in nats over the targets that are not IGNORE_INDEX; the norm is taken before
        clipping, and is 0 for a step that is left out because its gradients overflow fp16. positions_BT: of packed
        records, see Transformer.forward.
        """
        loss, norm = self.launch(step, inputs_BT, targets_BT, positions_BT)
        return loss.item(), norm.item()

    def launch(
        self, step: int, inputs_BT: Tensor, targets_BT: Tensor, positions_BT: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """`step`, with both numbers on the device: reading them waits for it."""
        set_learning_rate(self.optimizer, learning_rate(self.spec, step))
        count = count_targets(targets_BT)
        inputs, targets = (self._micro_batches(ids_BT) for ids_BT in (inputs_BT, targets_BT))
        positions = (None,) * len(inputs) if positions_BT is None else self._micro_batches(positions_BT)
        total = torch.zeros((), device=self.device)
        # Micro-batches are numbered in the whole batch, so that each has its own dropout, whichever rank it falls to.
        first = self.world.rank * len(inputs)
        for index, (own_inputs_BT, own_targets_BT, own_positions_BT) in enumerate(
            zip(inputs, targets, positions, strict=True), first
        ):
            if not (targets_here := count_targets(own_targets_BT)):
                continue
            seed = stream_seed(self.seed, "dropout", step, index)
            share = targets_here / count
            places_BT = None if own_positions_BT is None else self._there(own_positions_BT)
            loss = self.loss(self._there(own_inputs_BT), self._there(own_targets_BT), seed, places_BT) * share
            self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
            total += loss.detach()
        self.world.sum_gradients(self.model.parameters())
        total = self.world.sum(total)
        self.scaler.unscale_(self.optimizer)
        norm = clip_gradients(self.model, self.spec.optimizer.clip_norm)
        if self.scaler.is_enabled():
            # Gradients that overflow fp16 are no divergence: the step is left out, and the scale is lowered.
            norm = torch.where(norm.isfinite(), norm, 0.0)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        return total, norm

    def loss(
        self, inputs_BT: Tensor, targets_BT: Tensor, dropout_seed: int | None, positions_BT: Tensor | None = None
    ) -> Tensor:
        """Mean cross-entropy over the targets that are not IGNORE_INDEX."""
        hidden_BTD, table_VD = self.model.with_head(inputs_BT, dropout_seed, positions_BT)
        return linear_cross_entropy(
            hidden_BTD.flatten(0, 1),
            table_VD,
            targets_BT.flatten(),
            chunk_rows=self.spec.loss_chunk_rows,
            dtype=self.choice.product_dtype,
        )

    def _micro_batches(self, ids_BT: Tensor) -> tuple[Tensor, ...]:
        return torch.split(self.world.rows(ids_BT), self.micro_batch)

    def _there(self, ids_BT: Tensor) -> Tensor:
        """The ids on the device, without waiting for it."""
        return on_device(ids_BT, self.device)


def compile_blocks(model: Transformer) -> None:
    """Compile every block, once per shape: a graph without breaks, which blocks of equal shape share."""
    # Training, evaluation and their last, smaller batches, for every kind of block of a stack.
    torch._dynamo.config.cache_size_limit = max(torch._dynamo.config.cache_size_limit, MOST_GRAPHS)
    spec = model.spec
    for block, layer in zip(model.blocks, spec.layers, strict=True):
        if spec.visibility(layer).needs_matrix and spec.context_length >= flex.SHORTEST:
            # FlexAttention is compiled by itself, and its masks are made outside of graphs.
            continue
        block.compile(dynamic=False, fullgraph=True, backend=BACKEND)


def count_targets(targets_BT: Tensor) -> int:
    """Number of targets that are not IGNORE_INDEX."""
    return int((targets_BT != IGNORE_INDEX).sum())
