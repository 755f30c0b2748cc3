"""Scores of heads for simple operations, from their attention on a batch of a task."""

import statistics
from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stacklab.interp.attention_maps import attention_maps
from stacklab.interp.spec import ROLES, HeadScore, Role, RoleRow, Subject
from stacklab.model.transformer import Transformer
from stacklab.stats.describe import mean_t
from stacklab.tasks.batch import TaskBatch
from stacklab.tasks.protocol import Layout

ABSENT: dict[Role, str] = {
    "copying": "sequences have a single position",
    "gathering": "every group is a single position",
    "parsing": "no symbol occurs twice in a group",
    "matching": "answers do not occur in the sequences",
}
ONE_GROUP = "the whole sequence is one group, so that all earlier positions belong to it"


def score_heads(model: Transformer, batch: TaskBatch, layout: Layout, *, seed: int) -> Subject:
    """Every head's score for every role (see ROLES) that the batch has."""
    tokens_BT = torch.from_numpy(batch.tokens_BT).to(model.token_embedding.weight.device)
    scores: list[HeadScore] = []
    for layer, a_BHTT in enumerate(attention_maps(model, tokens_BT)):
        a_BHTT = a_BHTT.double().cpu()
        for role, (value_H, where_H) in _by_role(a_BHTT, batch, layout).items():
            for head, (value, where) in enumerate(zip(value_H.tolist(), where_H, strict=True)):
                scores.append(HeadScore(layer=layer, head=head, role=role, value=value, where=where))
    present = {score.role for score in scores}
    reasons = ABSENT | ({"gathering": ONE_GROUP} if _one_group(layout) else {})
    absent = {role: reasons[role] for role in ROLES if role not in present}
    return Subject(seed=seed, scores=tuple(scores), absent=absent)


def summarise(subjects: Sequence[Subject], *, level: float = 0.05) -> tuple[RoleRow, ...]:
    """Means over models, with t intervals for at least two models; one row per layer and role."""
    rows = []
    for layer, role in sorted({(s.layer, s.role) for subject in subjects for s in subject.scores}, key=_order):
        heads = [[s for s in subject.scores if (s.layer, s.role) == (layer, role)] for subject in subjects]
        best = [max(group, key=lambda score: score.value) for group in heads]
        means = [sum(score.value for score in group) / len(group) for group in heads]
        counted = Counter(score.where for score in best if score.where).most_common(2)
        rows.append(
            RoleRow(
                layer=layer,
                role=role,
                best=mean_t([score.value for score in best], level=level),
                best_value=statistics.fmean(score.value for score in best),
                mean=mean_t(means, level=level),
                mean_value=statistics.fmean(means),
                where="; ".join(f"{where} ({count} of {len(best)})" for where, count in counted),
            )
        )
    return tuple(rows)


def _order(key: tuple[int, Role]) -> tuple[int, int]:
    return key[0], list(ROLES).index(key[1])


HeadValues = tuple[Tensor, list[str]]
"""[H] the value of each head, and the slot and distance that reach it."""


def _by_role(a_BHTT: Tensor, batch: TaskBatch, layout: Layout) -> dict[Role, HeadValues]:
    by_role: dict[Role, HeadValues | None] = {
        "copying": _copying(a_BHTT.mean(0), layout),
        "gathering": _gathering(a_BHTT.mean(0), layout),
        "parsing": _parsing(a_BHTT, batch, layout),
        "matching": _matching(a_BHTT, batch),
    }
    return {role: value for role, value in by_role.items() if value is not None}


def _one_group(layout: Layout) -> bool:
    """Whether slots are positions of the sequence, so that each occurs once."""
    return len(layout.group_T) > 1 and bool((layout.group_T == layout.group_T[0]).all())


def _copying(a_HTT: Tensor, layout: Layout) -> HeadValues | None:
    length = len(layout.slot_T)
    names, shares = [], []
    for slot_T, named in _slots(layout):
        for back in range(1, length):
            at = np.flatnonzero(slot_T & (np.arange(length) >= back))
            if at.size:
                names.append(f"{named}{back} back")
                shares.append(a_HTT[:, at, at - back].mean(-1))
    return _best(shares, names)


def _slots(layout: Layout) -> list[tuple[NDArray[np.bool_], str]]:
    """The positions of each slot, with its name. For a single group all positions together: there a slot is one
    position, and the best of single cells is meaningless (under uniform attention the second position attends one back
    with weight 1/2)."""
    if _one_group(layout):
        return [(np.ones(len(layout.slot_T), dtype=bool), "")]
    return [(layout.slot_T == slot, f"slot {slot}, ") for slot in range(int(layout.slot_T.max()) + 1)]


def _gathering(a_HTT: Tensor, layout: Layout) -> HeadValues | None:
    if _one_group(layout):
        return None
    own_TT = np.tril(layout.group_T[:, None] == layout.group_T, k=-1)
    share_HT = (a_HTT * torch.from_numpy(own_TT)).sum(-1)
    names, shares = [], []
    for slot in np.unique(layout.slot_T[own_TT.any(axis=1)]):
        at = np.flatnonzero((layout.slot_T == slot) & own_TT.any(axis=1))
        names.append(f"slot {slot}")
        shares.append(share_HT[:, at].mean(-1))
    return _best(shares, names)


def _best(shares: list[Tensor], names: list[str]) -> HeadValues | None:
    if not shares:
        return None
    value_H, index_H = torch.stack(shares, -1).max(-1)
    return value_H, [names[index] for index in index_H.tolist()]


def _parsing(a_BHTT: Tensor, batch: TaskBatch, layout: Layout) -> HeadValues | None:
    tokens_BT = batch.tokens_BT
    own_TT = np.tril(layout.group_T[:, None] == layout.group_T, k=-1)
    equal_BTT = (tokens_BT[:, :, None] == tokens_BT[:, None, :]) & own_TT
    again_BT = equal_BTT.any(axis=2)
    if not again_BT.any():
        return None
    # Relative to the attention that leaves the position, so that attention to the own position does not count.
    share_BHT = (a_BHTT * torch.from_numpy(equal_BTT)[:, None]).sum(-1)
    left_BHT = 1 - a_BHTT.diagonal(dim1=-2, dim2=-1)
    again_B1T = torch.from_numpy(again_BT)[:, None]
    left_H = (left_BHT * again_B1T).sum((0, 2))
    value_H = (share_BHT * again_B1T).sum((0, 2)) / left_H.clamp_min(torch.finfo(left_H.dtype).tiny)
    return value_H, [""] * len(value_H)


def _matching(a_BHTT: Tensor, batch: TaskBatch) -> HeadValues | None:
    answer_BTT = (batch.targets_BT[:, :, None] == batch.tokens_BT[:, None, :]) & np.tri(
        batch.tokens_BT.shape[1], dtype=bool
    )
    present_BT = batch.scored_BT & answer_BTT.any(axis=2)
    if not present_BT.any():
        return None
    share_BHT = (a_BHTT * torch.from_numpy(answer_BTT)[:, None]).sum(-1)
    value_H = share_BHT.transpose(1, 2)[torch.from_numpy(present_BT)].mean(0)
    return value_H, [""] * len(value_H)
