"""Runs of equal shape, trained together over stacked parameters: one step of all of them at once.

Each replica has its own weights, batches, number of steps done, optimiser settings and clipping. On one thread of a CPU
its numbers are the same, bit for bit, in any stack; they differ from Trainer's by rounding, and with dropout in its
masks. On a card the size of the stack may decide which kernels run, and so change the rounding.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from stacklab.base.streams import stream_seed
from stacklab.model.count import vocab_size
from stacklab.model.ops.linear_cross_entropy import IGNORE_INDEX, linear_cross_entropy
from stacklab.model.ops.piece_size import holds_all_logits
from stacklab.model.stacked.dropout import StackedDropout
from stacklab.model.stacked.ops import StackComputation
from stacklab.model.stacked.transformer import StackedTransformer
from stacklab.train.device import on_device
from stacklab.train.optimizer import Layout, StackedAdamW
from stacklab.train.optimizer_spec import AdamWSpec
from stacklab.train.schedule import learning_rate
from stacklab.train.step import Trainer


class Replicas:
    """The trainers' models and optimisers, copied into stacks on their device; `unload` copies them back.

    Models must differ in their weights only; micro-batches, loss scaling and compiled blocks are not supported.
    reads_late: whether the numbers of a step are to be read after the next one is launched.
    """

    def __init__(self, trainers: Sequence[Trainer]) -> None:
        self.trainers = list(trainers)
        self.spec, self.device, self.choice = trainers[0].model.spec, trainers[0].device, trainers[0].choice
        self.reads_late = trainers[0].reads_late
        self.network = StackedTransformer(self.spec, _computation(trainers[0]))
        self._named = [dict(trainer.model.named_parameters()) for trainer in trainers]
        layout = Layout({name: one.shape for name, one in self._named[0].items() if one.requires_grad})
        self._layout = layout
        self._weights_RP, self._grad_RP = (
            torch.zeros(len(trainers), layout.width, device=self.device) for _ in range(2)
        )
        self._optimizer = StackedAdamW([_adamw(trainer) for trainer in trainers], layout, self.device)
        self._parameters = {
            name: layout.view(self._weights_RP, name).requires_grad_()
            if name in layout.spans
            else torch.stack([named[name].detach() for named in self._named])
            for name in self._named[0]
        }
        for replica in range(len(trainers)):
            self._load(replica)

    def step(self, steps: Sequence[int], inputs_RBT: Tensor, targets_RBT: Tensor) -> list[tuple[float, float]]:
        """Train each replica on its own batch as its own step `steps[r]`. Loss and gradient norm of each.

        The loss is the mean cross-entropy in nats over the targets that are not IGNORE_INDEX; the norm is taken before
        clipping.
        """
        return [(loss, norm) for loss, norm in self.launch(steps, inputs_RBT, targets_RBT).tolist()]

    def launch(self, steps: Sequence[int], inputs_RBT: Tensor, targets_RBT: Tensor) -> Tensor:
        """`step`, with the numbers [R, 2] on the device, in fp64: reading them waits for it. The ids are on the CPU."""
        masks = self._masks(steps)
        batch, length = inputs_RBT.shape[1:]
        whole = holds_all_logits(batch * length, vocab=vocab_size(self.spec))
        loss_of = self._loss_of_logits if whole else self._loss_in_chunks
        loss_R = loss_of(on_device(inputs_RBT, self.device), targets_RBT, masks)
        self._fill_gradient(loss_R.sum())
        rates = [learning_rate(trainer.spec, step) for trainer, step in zip(self.trainers, steps, strict=True)]
        norm_R = self._optimizer.step(self._weights_RP, self._grad_RP, rates)
        return torch.stack((loss_R.detach().double(), norm_R.double()), 1)

    @torch.inference_mode()
    def logits(self, ids_BT: Tensor, columns_C: Tensor) -> Tensor:
        """logits_RBCV of the same sequences through every replica, at some columns. The ids are on the CPU."""
        return self.network.logits(self._parameters, self._for_all(ids_BT), on_device(columns_C, self.device))

    @torch.inference_mode()
    def with_head(self, ids_BT: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Hidden states x_RND of the same sequences through every replica, and the table_VD of each head."""
        return self.network.with_head(self._parameters, self._for_all(ids_BT))

    def unload(self, replica: int) -> None:
        """Copy a replica back into its trainer, as if the trainer had taken the steps."""
        trainer, named, optimizer = self.trainers[replica], self._named[replica], self._optimizer
        for name in self._layout.spans:
            with torch.no_grad():
                named[name].copy_(self._layout.view(self._weights_RP, name)[replica])
            if optimizer.updates[replica]:
                moments = (
                    self._layout.view(buffer, name)[replica].clone()
                    for buffer in (optimizer.mean_RP, optimizer.square_RP)
                )
                # torch's fused step counts on the device.
                step = torch.tensor(float(optimizer.updates[replica]), device=self.device)
                trainer.optimizer.state[named[name]] = {
                    "step": step,
                    **dict(zip(AdamWSpec.state, moments, strict=True)),
                }

    def _load(self, replica: int) -> None:
        trainer, named, optimizer = self.trainers[replica], self._named[replica], self._optimizer
        for name in self._layout.spans:
            state: dict[str, Any] = trainer.optimizer.state.get(named[name], {})
            with torch.no_grad():
                self._layout.view(self._weights_RP, name)[replica] = named[name]
            for key, buffer in zip(AdamWSpec.state, (optimizer.mean_RP, optimizer.square_RP), strict=True):
                if state:
                    self._layout.view(buffer, name)[replica] = state[key]
                    optimizer.updates[replica] = int(state["step"])
        trainer.optimizer.state.clear()

    def _for_all(self, ids_BT: Tensor) -> Tensor:
        return on_device(ids_BT, self.device).expand(len(self.trainers), -1, -1)

    def _masks(self, steps: Sequence[int]) -> StackedDropout | None:
        if self.spec.dropout == 0.0 and self.spec.attention_dropout == 0.0:
            return None
        pairs = zip(self.trainers, steps, strict=True)
        return StackedDropout([stream_seed(one.seed, "dropout", step, 0) for one, step in pairs], self.device)

    def _loss_of_logits(self, inputs_RBT: Tensor, targets_RBT: Tensor, masks: StackedDropout | None) -> Tensor:
        """loss_R, from all logits at the columns with a target."""
        columns_C = (targets_RBT != IGNORE_INDEX).flatten(0, 1).any(0).nonzero()[:, 0]
        targets_RN = targets_RBT.index_select(2, columns_C).flatten(1)
        count_R = (targets_RN != IGNORE_INDEX).sum(1)
        columns_C, targets_RN, count_R = (on_device(one, self.device) for one in (columns_C, targets_RN, count_R))
        logits_RBCV = self.network.logits(
            self._parameters, inputs_RBT, columns_C, masks, head_dtype=self.choice.product_dtype
        )
        # In fp32 at least.
        logits_NV = logits_RBCV.flatten(0, 2).to(torch.promote_types(logits_RBCV.dtype, torch.float32))
        loss_N = F.cross_entropy(logits_NV, targets_RN.flatten(), ignore_index=IGNORE_INDEX, reduction="none")
        return loss_N.view(targets_RN.shape).double().sum(1) / count_R

    def _loss_in_chunks(self, inputs_RBT: Tensor, targets_RBT: Tensor, masks: StackedDropout | None) -> Tensor:
        """loss_R, replica by replica, without ever holding the logits."""
        x_RND, tables = self.network.with_head(self._parameters, inputs_RBT, masks)
        targets_RN = on_device(targets_RBT.flatten(1), self.device)
        rows, dtype = self.trainers[0].spec.loss_chunk_rows, self.choice.product_dtype
        parts = zip(x_RND.unbind(0), tables, targets_RN, strict=True)
        return torch.stack([linear_cross_entropy(*part, chunk_rows=rows, dtype=dtype) for part in parts])

    def _fill_gradient(self, loss: Tensor) -> None:
        # Each loss depends on its own replica's weights only, so the gradient of the sum is the gradient of each.
        leaves = [self._parameters[name] for name in self._layout.spans]
        grads = torch.autograd.grad(loss, leaves, allow_unused=True, materialize_grads=True)
        for name, grad in zip(self._layout.spans, grads, strict=True):
            self._layout.view(self._grad_RP, name).copy_(grad)


def _computation(trainer: Trainer) -> StackComputation:
    own = trainer.model.computation
    is_plain = trainer.device.type == "cpu" and own.product_dtype is None
    return StackComputation(own.product_dtype, own.stream_dtype, fused_attention=not is_plain)


def _adamw(trainer: Trainer) -> AdamWSpec:
    spec = trainer.spec.optimizer
    assert isinstance(spec, AdamWSpec), f"optimizer.kind = {spec.kind} has no stacked step; run/stacking refuses it"
    return spec
