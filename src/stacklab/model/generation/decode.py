"""Generation: token by token, until an end token, a count or the end of the context; and the draw of the next token:
temperature, top-k, top-p."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from stacklab.base.errors import CheckpointError, SpecError
from stacklab.base.streams import numpy_stream
from stacklab.model.cache import Decoding, LayerCache
from stacklab.model.generation.sampling_spec import GREEDY, SamplingSpec
from stacklab.model.masks import MASKS
from stacklab.model.transformer import Transformer


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


class CachedForward:
    """Cached forward passes over prompts of any lengths and their continuations, one token per sequence at a time.

    Shorter prompts are padded on the left. Padding is excluded from attention and positions, so that the logits of a
    sequence do not depend on the others, up to rounding. Memory is reserved once, for `steps` appended tokens.
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
        """logits_BV after the prompts."""
        return self._advance(self.prompts_BT)

    def append(self, next_B: Tensor) -> Tensor:
        """logits_BV after one more id of every sequence."""
        return self._advance(next_B[:, None])

    def _advance(self, new_BT: Tensor) -> Tensor:
        queries_T = self.columns_S[self.seen : self.seen + new_BT.shape[1]]
        self.seen += new_BT.shape[1]
        keys_S = self.columns_S[: self.seen]
        # Padding is at position 0, and a row whose context is full stays at its last position; neither is used.
        positions_BT = (queries_T - self.start_B[:, None]).clamp(0, self.model.spec.context_length - 1)
        # A padding query sees itself, so that its softmax is defined.
        itself_TS = keys_S == queries_T[:, None]
        visible_BTS = ((keys_S <= queries_T[:, None]) & self.real_BS[:, None, : self.seen]) | itself_TS
        decoding = Decoding(positions_BT, visible_BTS, self.caches, self.start_B[:, None])
        hidden_BTD = self.model(new_BT, decoding=decoding)
        return self.model.logits(hidden_BTD[:, -1])


Stop = Literal["end token", "token count", "context full"]


class New(NamedTuple):
    """The outcome of a step for prompt `row`: a token, the reason for stopping, or a last token with the reason."""

    row: int
    token: int | None
    stop: Stop | None


@dataclass(frozen=True)
class Continuation:
    """The ids after a prompt, without the end token, and why generation stopped."""

    ids: list[int]
    stop: Stop


def generate(
    model: Transformer,
    prompts: Sequence[Sequence[int]],
    *,
    max_tokens: int,
    end_id: int | None = None,
    sampling: SamplingSpec = GREEDY,
) -> list[Continuation]:
    """Continue each prompt to its end; see `stream`."""
    ids: list[list[int]] = [[] for _ in prompts]
    stops: dict[int, Stop] = {}
    for new in stream(model, prompts, max_tokens=max_tokens, end_id=end_id, sampling=sampling):
        if new.token is not None:
            ids[new.row].append(new.token)
        if new.stop is not None:
            stops[new.row] = new.stop
    return [Continuation(own, stops[row]) for row, own in enumerate(ids)]


@torch.inference_mode()
def stream(
    model: Transformer,
    prompts: Sequence[Sequence[int]],
    *,
    max_tokens: int,
    end_id: int | None = None,
    sampling: SamplingSpec = GREEDY,
) -> Iterator[New]:
    """The tokens after each prompt, step by step, rows in order within a step; each row stops exactly once.

    A sequence stops before `end_id`, after `max_tokens` new tokens, or when prompt and new tokens fill the context plus
    one token, which is not fed back and so needs no position.

    Raises SpecError for a model whose mask is not causal: its output at a position depends on later ones.
    """
    if not MASKS[model.spec.mask].causal:
        raise SpecError(
            f"model.mask = {model.spec.mask}: text can only be generated with mask = causal, since here each position "
            "depends on later ones; leave out prompts and problems, or make the mask causal"
        )
    if max_tokens < 1 or not all(prompts):
        raise ValueError("every prompt needs at least one token, and max_tokens must be at least 1")
    room = model.spec.context_length + 1
    limits = {row: _limit(room - len(prompt), max_tokens) for row, prompt in enumerate(prompts)}
    yield from (New(row, None, reason) for row, (tokens, reason) in limits.items() if tokens == 0)
    limits = {row: limit for row, limit in limits.items() if limit[0] > 0}
    if limits:
        yield from _steps(model, prompts, limits, end_id=end_id, sampling=sampling)


def _limit(room: int, max_tokens: int) -> tuple[int, Stop]:
    """The largest number of new tokens of a sequence, and the reason. room: the number that its context allows."""
    return (max_tokens, "token count") if max_tokens <= room else (max(room, 0), "context full")


def _steps(
    model: Transformer,
    prompts: Sequence[Sequence[int]],
    limits: dict[int, tuple[int, Stop]],
    *,
    end_id: int | None,
    sampling: SamplingSpec,
) -> Iterator[New]:
    """Continue the prompts that have a limit together; see `stream`."""
    rows = list(limits)
    active = [prompts[row] for row in rows]
    steps = max(tokens for tokens, _ in limits.values())
    sampler = Sampler(sampling, active, steps=steps)
    forward = CachedForward(model, active, steps=steps - 1)
    logits_BV = forward.begin()
    for step in range(steps):
        next_B = sampler.choose(logits_BV, step)
        for row, token in zip(rows, next_B.tolist(), strict=True):
            if row not in limits:
                continue
            last, reason = limits[row]
            stop: Stop | None = "end token" if token == end_id else reason if step + 1 == last else None
            yield New(row, None if token == end_id else token, stop)
            if stop is not None:
                del limits[row]
        if not limits:
            return
        logits_BV = forward.append(next_B)
