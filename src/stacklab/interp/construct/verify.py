"""Checks a construction against the oracle of its exercise."""

from collections.abc import Callable

import numpy as np
import torch

from stacklab.base.errors import SpecError
from stacklab.base.spec import Spec, Text
from stacklab.base.streams import numpy_stream
from stacklab.interp.construct.blueprint import Blueprint
from stacklab.interp.construct.compile import compiled
from stacklab.model.transformer import Transformer
from stacklab.tasks.batch import Ids, TaskBatch
from stacklab.tasks.protocol import Split

BATCH = 512


class Verified(Spec):
    """The answers of a model on fresh sequences of a split, in float32.

    margin: the smallest lead of the right answer's logit over all others, negative where an answer is wrong.
    changed: answers that differ in float64.
    """

    split: Text
    sequences: int
    answers: int
    right: int
    margin: float
    changed: int


def verify(plan: Blueprint, *, sequences: int, seed: int = 0) -> tuple[Verified, ...]:
    """Check every answer on `sequences` fresh sequences of each split against the oracle, over all ids.

    Raises SpecError when the sequences have no targets.
    """
    single, double = compiled(plan), compiled(plan, dtype=torch.float64)
    return tuple(_verify(plan, split, single, double, sequences=sequences, seed=seed) for split in plan.exercise.splits)


def _verify(
    plan: Blueprint, split: Split, single: Transformer, double: Transformer, *, sequences: int, seed: int
) -> Verified:
    tokens_BT = draw(plan, sequences, split=split, seed=seed).tokens_BT
    targets_BT = plan.exercise.oracle(tokens_BT)
    right = changed = answers = 0
    margin = float("inf")
    for start in range(0, sequences, BATCH):
        part_BT, target_BT = tokens_BT[start : start + BATCH], targets_BT[start : start + BATCH]
        mask_BT = target_BT >= 0
        if not mask_BT.any():
            continue
        logits_NV, target_N = target_logits(single, part_BT, mask_BT), torch.from_numpy(target_BT[mask_BT])
        answer_N = logits_NV.argmax(1)
        changed += int((answer_N != target_logits(double, part_BT, mask_BT).argmax(1)).sum())
        right += int((answer_N == target_N).sum())
        answers += len(target_N)
        others_NV = logits_NV.scatter(1, target_N[:, None], -torch.inf)
        lead_N = logits_NV.gather(1, target_N[:, None])[:, 0] - others_NV.amax(1)
        margin = min(margin, float(lead_N.min()))
    if not answers:
        raise SpecError(f"no targets in {sequences} sequences of split {split}; use more sequences")
    return Verified(split=split, sequences=sequences, answers=answers, right=right, margin=margin, changed=changed)


def least_sharpness(build: Callable[[float], Blueprint], *, sequences: int, seed: int = 0) -> int | None:
    """The least whole sharpness up to 64 with only right answers in float32, on the same sequences; or None."""
    for sharpness in range(1, 65):
        plan = build(float(sharpness))
        if all(_all_right(plan, split, sequences=sequences, seed=seed) for split in plan.exercise.splits):
            return sharpness
    return None


def _all_right(plan: Blueprint, split: Split, *, sequences: int, seed: int) -> bool:
    batch = draw(plan, sequences, split=split, seed=seed)
    logits_NV = target_logits(compiled(plan), batch.tokens_BT, batch.target_mask_BT)
    return bool((logits_NV.argmax(1).numpy() == batch.targets_BT[batch.target_mask_BT]).all())


def draw(plan: Blueprint, size: int, *, split: Split = "train", seed: int = 0) -> TaskBatch:
    """Fresh sequences of the exercise."""
    return plan.exercise.draw(numpy_stream(seed, "construct", plan.exercise.kind, split), size, split=split)


@torch.inference_mode()
def target_logits(model: Transformer, tokens_BT: Ids, target_mask_BT: np.ndarray) -> torch.Tensor:
    """[N, V] the logits of the N positions with a target."""
    return model.logits(model(torch.from_numpy(tokens_BT))[torch.from_numpy(target_mask_BT)])
