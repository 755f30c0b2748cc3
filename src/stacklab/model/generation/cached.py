"""The forward pass of growing sequences, a few new tokens at a time."""

from collections.abc import Sequence

import torch
from torch import Tensor

from stacklab.model.cache import Decoding, LayerCache
from stacklab.model.transformer import Transformer


class CachedForward:
    """Prompts of any lengths and what is appended to them, one token a sequence at a time.

    Shorter prompts are padded on the left. Padding is hidden from attention and from positions, so that the logits of a
    sequence are those of the sequence alone, up to rounding. Memory is reserved once, for `steps` appended tokens.
    """

    def __init__(self, model: Transformer, prompts: Sequence[Sequence[int]], *, steps: int) -> None:
        self.model = model
        device = model.token_embedding.weight.device
        lengths_B = torch.tensor([len(prompt) for prompt in prompts], device=device)
        width = int(lengths_B.max())
        padded = [[0] * (width - len(prompt)) + list(prompt) for prompt in prompts]
        self.prompts_BT = torch.tensor(padded, device=device)
        self.start_B = width - lengths_B
        self.columns_S = torch.arange(width + steps, device=device)
        self.real_BS = self.columns_S >= self.start_B[:, None]
        self.caches = [LayerCache(width + steps) for _ in model.blocks]
        self.seen = 0

    def begin(self) -> Tensor:
        """logits_BV of what follows the prompts."""
        return self._advance(self.prompts_BT)

    def append(self, next_B: Tensor) -> Tensor:
        """logits_BV of what follows once every sequence goes on with its next id."""
        return self._advance(next_B[:, None])

    def _advance(self, new_BT: Tensor) -> Tensor:
        queries_T = self.columns_S[self.seen : self.seen + new_BT.shape[1]]
        self.seen += new_BT.shape[1]
        keys_S = self.columns_S[: self.seen]
        # Padding takes position 0, and a row whose context is full stays at its last position: neither is read.
        positions_BT = (queries_T - self.start_B[:, None]).clamp(0, self.model.spec.context_length - 1)
        # A padding query sees itself, lest its softmax be over nothing.
        itself_TS = keys_S == queries_T[:, None]
        visible_BTS = ((keys_S <= queries_T[:, None]) & self.real_BS[:, None, : self.seen]) | itself_TS
        hidden_BTD = self.model(new_BT, decoding=Decoding(positions_BT, visible_BTS, self.caches))
        return self.model.logits(hidden_BTD[:, -1])
