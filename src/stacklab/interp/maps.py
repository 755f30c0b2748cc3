"""Attention maps: what each position of a sequence looks at, layer by layer."""

import torch
from torch import Tensor

from stacklab.model.attention import Attention
from stacklab.model.transformer import Transformer


@torch.no_grad()
def attention_maps(model: Transformer, ids_BT: Tensor) -> list[Tensor]:
    """One a_BHTT per layer, bottom first: a[b, h, t, s] is the share that position t gives position s in head h.

    Rows sum to 1 and hidden positions have 0. They are computed plainly beside the ordinary pass, without dropout.
    """
    maps: list[Tensor] = []

    def keep(layer: Attention, given: tuple[Tensor, ...]) -> None:
        maps.append(layer.probabilities(given[0]))

    handles = [layer.register_forward_pre_hook(keep) for layer in model.modules() if isinstance(layer, Attention)]
    try:
        model(ids_BT)
    finally:
        for handle in handles:
            handle.remove()
    return maps
