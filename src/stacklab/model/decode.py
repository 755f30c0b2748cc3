"""Generation with cached keys and values."""

from collections.abc import Sequence

import torch
from torch import Tensor

from stacklab.base.errors import SpecError
from stacklab.model.layers import LayerCache
from stacklab.model.transformer import Transformer


@torch.inference_mode()
def generate(
    model: Transformer,
    prompts: Sequence[Sequence[int]],
    *,
    max_tokens: int,
    end_id: int | None = None,
    temperature: float = 0.0,
    seed: int = 0,
) -> list[list[int]]:
    """Continue each prompt by up to `max_tokens` ids; temperature 0 takes the likeliest id, otherwise ids are drawn.

    Prompts of unequal length are padded on the left and the padding is hidden from attention and from positions, so a
    prompt's continuation is that of the prompt alone. A sequence stops before `end_id`, or where the context is full.

    Raises SpecError for a model whose mask is not causal: what it says of a position depends on what follows.
    """
    if model.spec.mask != "causal":
        raise SpecError(
            f"model.mask = {model.spec.mask}: text can only be generated with mask = causal, since here each position "
            "depends on later ones; leave out prompts and problems, or make the mask causal"
        )
    if not prompts:
        return []
    if not all(prompts):
        raise ValueError("a prompt is empty; give at least one token")
    device = model.token_embedding.weight.device
    ids_BT, lengths_B = _pad_left(prompts, device)
    generator = torch.Generator(device=device).manual_seed(seed)
    return _Decoding(model, ids_BT, lengths_B, end_id).run(max_tokens, temperature, generator)


class _Decoding:
    def __init__(self, model: Transformer, ids_BT: Tensor, lengths_B: Tensor, end_id: int | None) -> None:
        self.model, self.ids_BT, self.lengths_B, self.end_id = model, ids_BT, lengths_B, end_id
        self.width = ids_BT.shape[1]
        self.start_B = self.width - lengths_B
        self.caches = [LayerCache() for _ in model.blocks]
        self.outputs: list[list[int]] = [[] for _ in range(len(ids_BT))]
        self.open_B = lengths_B < model.spec.context_length

    def run(self, max_tokens: int, temperature: float, generator: torch.Generator) -> list[list[int]]:
        new_BT = self.ids_BT
        for step in range(max_tokens):
            if not self.open_B.any():
                break
            logits_BV = self._advance(new_BT, seen=self.width + step)
            next_B = _choose(logits_BV, temperature, generator)
            if self.end_id is not None:
                self.open_B = self.open_B & (next_B != self.end_id)
            for row, (is_open, token) in enumerate(zip(self.open_B.tolist(), next_B.tolist(), strict=True)):
                if is_open:
                    self.outputs[row].append(token)
            self.open_B = self.open_B & (self.lengths_B + step + 1 < self.model.spec.context_length)
            new_BT = next_B[:, None]
        return self.outputs

    def _advance(self, new_BT: Tensor, *, seen: int) -> Tensor:
        """Feed the newest ids; `seen` counts all positions so far, padding and new ids included."""
        columns_T = torch.arange(seen - new_BT.shape[1], seen, device=new_BT.device)
        # Padding takes position 0, and a row whose context is full stays at its last position: neither is read.
        positions_BT = (columns_T - self.start_B[:, None]).clamp(0, self.model.spec.context_length - 1)
        keys_S = torch.arange(seen, device=new_BT.device)
        causal_TS = keys_S <= columns_T[:, None]
        real_BS = keys_S >= self.start_B[:, None]
        # A padding query sees itself, lest its softmax be over nothing.
        itself_TS = keys_S == columns_T[:, None]
        visible_BTS = (causal_TS & real_BS[:, None]) | itself_TS
        hidden_BTD = self.model.decode(new_BT, positions_BT, self.caches, visible_BTS)
        return self.model.logits(hidden_BTD[:, -1])


def _pad_left(prompts: Sequence[Sequence[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    lengths_B = torch.tensor([len(prompt) for prompt in prompts], device=device)
    width = int(lengths_B.max())
    padded = [[0] * (width - len(prompt)) + list(prompt) for prompt in prompts]
    return torch.tensor(padded, device=device), lengths_B


def _choose(logits_BV: Tensor, temperature: float, generator: torch.Generator) -> Tensor:
    if temperature == 0.0:
        return logits_BV.argmax(-1)
    shares_BV = torch.softmax(logits_BV.float() / temperature, -1)
    return torch.multinomial(shares_BV, 1, generator=generator)[:, 0]
