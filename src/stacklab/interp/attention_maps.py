"""Attention maps: which positions each position attends to, as tensors and as plain tables for display."""

from collections.abc import Sequence

import torch
from torch import Tensor

from stacklab.interp.spec import AttentionPanel
from stacklab.model.attention import Attention
from stacklab.model.transformer import Transformer
from stacklab.tasks.batch import Ids


@torch.no_grad()
def attention_maps(model: Transformer, ids_BT: Tensor) -> list[Tensor]:
    """One a_BHTT per layer, bottom first: a[b, h, t, s] is the attention of position t to position s in head h.

    Rows sum to 1, and masked positions are 0. Computed beside the ordinary forward pass, without dropout.
    """
    maps: list[Tensor] = []

    def keep(layer: Attention, inputs: tuple[Tensor, ...]) -> None:
        maps.append(layer.probabilities(inputs[0]))

    handles = [layer.register_forward_pre_hook(keep) for layer in model.modules() if isinstance(layer, Attention)]
    try:
        model(ids_BT)
    finally:
        for handle in handles:
            handle.remove()
    return maps


FEW_HEADS = 2
"""The largest number of heads in a layer for which each head has its own map."""


def attention_panels(
    model: Transformer, tokens_T: Ids, names: Sequence[str], *, titles: Sequence[str], few: int = FEW_HEADS
) -> tuple[AttentionPanel, ...]:
    """A panel for each head, or for each layer of more than `few` heads: the attention of the last position, with a row
    per head.

    names: names of the ids. titles: titles of the layers.
    """
    words = [names[token] for token in tokens_T]
    panels = []
    for title, a_1HTT in zip(titles, attention_maps(model, torch.from_numpy(tokens_T)[None]), strict=True):
        a_HTT = a_1HTT[0].double()
        if len(a_HTT) > few:
            rows = [f"head {head}" for head in range(len(a_HTT))]
            panels.append(_panel(f"{title}: the last position", rows, words, a_HTT[:, -1]))
            continue
        for head, a_TT in enumerate(a_HTT):
            panels.append(_panel(f"{title}, head {head}" if len(a_HTT) > 1 else title, words, words, a_TT))
    return tuple(panels)


def _panel(title: str, rows: Sequence[str], columns: Sequence[str], share_RC: torch.Tensor) -> AttentionPanel:
    shares = tuple(tuple(row) for row in share_RC.tolist())
    return AttentionPanel(title=title, rows=tuple(rows), columns=tuple(columns), shares=shares)
