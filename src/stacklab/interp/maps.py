"""Attention maps: what each position of a sequence looks at, layer by layer."""

import torch
from torch import Tensor

from stacklab.model.layers import Block
from stacklab.model.transformer import Transformer


@torch.no_grad()
def attention_maps(model: Transformer, ids_BT: Tensor) -> list[Tensor]:
    """One a_BHTT per layer, bottom first: a[b, h, t, s] is the share that position t gives position s in head h.

    Rows sum to 1 and hidden positions have 0. They are computed plainly beside the ordinary pass, without dropout.
    """
    x_BTD = model.embed(ids_BT)
    maps = []
    for block in model.blocks:
        assert isinstance(block, Block)
        maps.append(block.attention_map(x_BTD))
        x_BTD = block(x_BTD, None)
    return maps
