"""Losses on fixed sequences and exact answers on held-out problems, without dropout."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stacklab.model.count import EVALUATED
from stacklab.model.generation.decode import generate
from stacklab.model.ops.linear_cross_entropy import IGNORE_INDEX, linear_cross_entropy_rows
from stacklab.model.transformer import Transformer
from stacklab.train.replicas import Replicas
from stacklab.train.step import Sequences

EVALUATION_BATCH = EVALUATED
TASK_BATCH = 256

Scores = tuple[np.ndarray, np.ndarray]
"""Losses in nats [N] at the positions of the target mask, in float64, and whether the most likely id is the target
[B, T], false outside the mask."""


@torch.inference_mode()
def mean_loss(model: Transformer, fixed: Sequences, *, chunk_rows: int) -> float:
    """Mean cross-entropy in nats over the targets of fixed sequences, summed in float64."""
    device = model.token_embedding.weight.device
    # On the device, so that no batch waits for the one before it.
    total = torch.zeros((), dtype=torch.float64, device=device)
    for inputs_BT, targets_BT, positions_BT in _parts(fixed):
        positions_BT = None if positions_BT is None else positions_BT.to(device)
        hidden_BTD = model(inputs_BT.to(device), positions_BT=positions_BT)
        loss_N = linear_cross_entropy_rows(
            hidden_BTD.flatten(0, 1),
            model.head_weight_VD,
            targets_BT.flatten().to(device),
            chunk_rows=chunk_rows,
            dtype=model.computation.product_dtype,
        )
        total += loss_N.double().sum()
    return total.item() / _count(fixed)


@torch.inference_mode()
def stacked_mean_loss(replicas: Replicas, fixed: Sequences, *, chunk_rows: int) -> list[float]:
    """`mean_loss` of every replica on the same sequences, which are not packed as records."""
    total_R = torch.zeros(len(replicas.trainers), dtype=torch.float64, device=replicas.device)
    dtype = replicas.choice.product_dtype
    for inputs_BT, targets_BT, positions_BT in _parts(fixed):
        assert positions_BT is None, "run/stacking refuses data.packing = documents"
        hidden_RND, tables = replicas.with_head(inputs_BT)
        targets_N = targets_BT.flatten().to(replicas.device)
        losses = [
            linear_cross_entropy_rows(hidden_ND, table_VD, targets_N, chunk_rows=chunk_rows, dtype=dtype)
            for hidden_ND, table_VD in zip(hidden_RND, tables, strict=True)
        ]
        total_R += torch.stack([loss_N.double().sum() for loss_N in losses])
    return [total / _count(fixed) for total in total_R.tolist()]


def _parts(fixed: Sequences) -> Iterator[tuple[Tensor, Tensor, Tensor | None]]:
    """Some sequences at a time, as tensors on the CPU."""
    for start in range(0, len(fixed.inputs), EVALUATION_BATCH):
        rows = slice(start, start + EVALUATION_BATCH)
        positions = None if fixed.positions is None else fixed.positions[rows]
        yield Sequences(fixed.inputs[rows], fixed.targets[rows], positions).tensors


def _count(fixed: Sequences) -> float:
    return float((fixed.targets != IGNORE_INDEX).sum())


@torch.inference_mode()
def target_scores(
    model: Transformer, inputs_BT: np.ndarray, targets_BT: np.ndarray, *, target_mask_BT: np.ndarray
) -> Scores:
    """Losses and right predictions at the positions where `target_mask_BT` [B, T] is true.

    It holds full rows of logits, so it is meant for the small vocabularies of tasks.
    """
    device = model.token_embedding.weight.device
    hidden_BTD = torch.cat([model(torch.from_numpy(part).to(device)) for part in _batches(inputs_BT)])
    mask_BT = torch.from_numpy(target_mask_BT).to(device)
    return _scores(hidden_BTD[mask_BT] @ model.head_weight_VD.T, torch.from_numpy(targets_BT).to(device), mask_BT)


@torch.inference_mode()
def stacked_scores(
    replicas: Replicas, inputs_BT: np.ndarray, targets_BT: np.ndarray, *, target_mask_BT: np.ndarray
) -> list[Scores]:
    """`target_scores` of every replica on the same sequences."""
    columns_C = torch.from_numpy(target_mask_BT).any(0).nonzero()[:, 0]
    logits_RBCV = torch.cat([replicas.logits(torch.from_numpy(part), columns_C) for part in _batches(inputs_BT)], 1)
    mask_BT, targets = (torch.from_numpy(one).to(replicas.device) for one in (target_mask_BT, targets_BT))
    chosen_BC = mask_BT[:, columns_C.to(replicas.device)]
    return [_scores(logits_BCV[chosen_BC], targets, mask_BT) for logits_BCV in logits_RBCV]


def _scores(logits_NV: Tensor, targets_BT: Tensor, mask_BT: Tensor) -> Scores:
    targets_N = targets_BT[mask_BT]
    loss_N = F.cross_entropy(logits_NV.double(), targets_N, reduction="none")
    right_BT = torch.zeros_like(mask_BT)
    right_BT[mask_BT] = logits_NV.argmax(1) == targets_N
    return loss_N.cpu().numpy(), right_BT.cpu().numpy()


def _batches(rows: np.ndarray) -> list[np.ndarray]:
    return [rows[start : start + TASK_BATCH] for start in range(0, len(rows), TASK_BATCH)]


@dataclass(frozen=True)
class Question:
    """A held-out problem for the model. prompt: its ids. is_correct: checks the ids that follow."""

    prompt: list[int]
    hops: int | None
    is_correct: Callable[[list[int]], bool]


def answer_accuracy(
    model: Transformer, questions: Sequence[Question], *, end_id: int, max_tokens: int
) -> dict[str, float]:
    """Share of problems whose greedy continuation ends in the exact answer: over all and per number of hops.

    A prompt that leaves no room in the context counts as wrong.
    """
    if not questions:
        return {}
    outcomes: dict[int | None, list[bool]] = {}
    for start in range(0, len(questions), EVALUATION_BATCH * 4):
        batch = questions[start : start + EVALUATION_BATCH * 4]
        texts = generate(model, [question.prompt for question in batch], max_tokens=max_tokens, end_id=end_id)
        for question, text in zip(batch, texts, strict=True):
            outcomes.setdefault(question.hops, []).append(question.is_correct(text.ids))
    every = [outcome for group in outcomes.values() for outcome in group]
    shares = {"accuracy": sum(every) / len(every)}
    counted = sorted((hops, group) for hops, group in outcomes.items() if hops is not None)
    return shares | {f"accuracy.hops_{hops}": sum(group) / len(group) for hops, group in counted}


def perplexity(loss: float) -> float | None:
    """exp of a cross-entropy in nats per token; None beyond the range of floats (a loss above 709.7)."""
    try:
        return math.exp(loss)
    except OverflowError:
        return None
