"""The next token from logits: temperature, top-k, top-p, and draws per prompt."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from stacklab.base.errors import CheckpointError
from stacklab.base.streams import numpy_stream
from stacklab.model.generation.sampling_spec import SamplingSpec


class Sampler:
    """Chooses a token per row and step.

    A row draws from the stream of (seed, its prompt, number of equal prompts before it), one number per step: its draws
    do not depend on the other prompts of the batch or their order.
    """

    def __init__(self, spec: SamplingSpec, prompts: Sequence[Sequence[int]], *, steps: int) -> None:
        self.spec = spec
        if spec.temperature > 0:
            self.draws_BT = torch.from_numpy(_draws(spec.seed, prompts, steps))

    def choose(self, logits_BV: Tensor, step: int) -> Tensor:
        """Ids [B] of one step, by inverting the cumulative distribution in float64.

        Raises CheckpointError for logits that are not finite.
        """
        if not bool(logits_BV.isfinite().all()):
            raise CheckpointError(
                "the model's logits are NaN or infinite, so no token follows; its weights are damaged or its training "
                "diverged: use another run or model"
            )
        if self.spec.temperature == 0:
            return logits_BV.argmax(-1)
        logits_BV = logits_BV.double()
        # With the highest at 0, it stays finite when divided by a temperature near 0; only the others become -inf.
        logits_BV = logits_BV - logits_BV.amax(-1, keepdim=True)
        probabilities_BV = torch.softmax(warped(logits_BV, self.spec), -1)
        sums_BV = probabilities_BV.cumsum(-1)
        draws_B1 = self.draws_BT[:, step, None].to(sums_BV.device) * sums_BV[:, -1:]
        # The first id whose sum exceeds the draw: never one of probability 0.
        return torch.searchsorted(sums_BV, draws_B1, right=True)[:, 0]


def warped(logits_BV: Tensor, spec: SamplingSpec) -> Tensor:
    """Logits divided by the temperature, -inf where top-k and then top-p cut."""
    logits_BV = logits_BV / spec.temperature
    if spec.top_k is not None:
        last_B1 = logits_BV.topk(min(spec.top_k, logits_BV.shape[-1])).values[:, -1:]
        logits_BV = logits_BV.masked_fill(logits_BV < last_B1, -torch.inf)
    if spec.top_p is not None and spec.top_p < 1:
        rising_BV, order_BV = logits_BV.sort(stable=True)
        cut_BV = rising_BV.softmax(-1).cumsum(-1) <= 1 - spec.top_p
        cut_BV[:, -1] = False
        logits_BV = logits_BV.masked_fill(cut_BV.scatter(-1, order_BV, cut_BV), -torch.inf)
    return logits_BV


def _draws(seed: int, prompts: Sequence[Sequence[int]], steps: int) -> np.ndarray:
    """Uniform numbers [B, steps]."""
    seen: Counter[tuple[int, ...]] = Counter()
    rows = []
    for prompt in map(tuple, prompts):
        rows.append(numpy_stream(seed, "sampling", seen[prompt], *prompt).random(steps))
        seen[prompt] += 1
    return np.stack(rows)
