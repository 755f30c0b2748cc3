"""Attention maps of one sequence as plain tables, to be printed and drawn."""

from collections.abc import Sequence

import torch

from stacklab.interp.maps import attention_maps
from stacklab.interp.panel_spec import AttentionPanel
from stacklab.model.transformer import Transformer
from stacklab.tasks.batch import Ids

FEW_HEADS = 2
"""Up to so many heads in a layer have a map each."""


def attention_panels(
    model: Transformer, tokens_T: Ids, names: Sequence[str], *, titles: Sequence[str], few: int = FEW_HEADS
) -> tuple[AttentionPanel, ...]:
    """A panel for each head, or for each layer of more than `few` heads: what the last position looks at, a row a head.

    names: of the ids. titles: of the layers.
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
