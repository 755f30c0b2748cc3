"""Generation: tokens as they come, until an end token, a count or the end of the context."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch

from stacklab.base.errors import SpecError
from stacklab.model.generation.cached import CachedForward
from stacklab.model.generation.sampling import Sampler
from stacklab.model.generation.sampling_spec import GREEDY, SamplingSpec
from stacklab.model.masks import MASKS
from stacklab.model.transformer import Transformer

Stop = Literal["end token", "token count", "context full"]


class New(NamedTuple):
    """What a step did to prompt `row`: a token, the reason why it goes no further, or a last token and the reason."""

    row: int
    token: int | None
    stop: Stop | None


@dataclass(frozen=True)
class Continuation:
    """The ids after a prompt, without the end token, and why there are no more."""

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

    A sequence stops before `end_id`, after `max_tokens` new tokens, or when prompt and new tokens fill the context and
    one more is known, which is not fed back and so needs no position.

    Raises SpecError for a model whose mask is not causal: what it says of a position depends on what follows it.
    """
    if not MASKS[model.spec.mask].causal:
        raise SpecError(
            f"model.mask = {model.spec.mask}: text can only be generated with mask = causal, since here each position "
            "depends on later ones; leave out prompts and problems, or make the mask causal"
        )
    if max_tokens < 1 or not all(prompts):
        raise ValueError("give every prompt at least one token, and room for at least one new one")
    room = model.spec.context_length + 1
    limits = {row: _limit(room - len(prompt), max_tokens) for row, prompt in enumerate(prompts)}
    yield from (New(row, None, why) for row, (tokens, why) in limits.items() if tokens == 0)
    limits = {row: limit for row, limit in limits.items() if limit[0] > 0}
    if limits:
        yield from _steps(model, prompts, limits, end_id=end_id, sampling=sampling)


def _limit(room: int, max_tokens: int) -> tuple[int, Stop]:
    """The largest number of new tokens of a sequence, and why it ends there; `room`: how many its context allows."""
    return (max_tokens, "token count") if max_tokens <= room else (max(room, 0), "context full")


def _steps(
    model: Transformer,
    prompts: Sequence[Sequence[int]],
    limits: dict[int, tuple[int, Stop]],
    *,
    end_id: int | None,
    sampling: SamplingSpec,
) -> Iterator[New]:
    """The tokens after the prompts that have a limit, which are continued together; see `stream`."""
    rows = list(limits)
    going = [prompts[row] for row in rows]
    steps = max(tokens for tokens, _ in limits.values())
    sampler = Sampler(sampling, going, steps=steps)
    forward = CachedForward(model, going, steps=steps - 1)
    logits_BV = forward.begin()
    for step in range(steps):
        next_B = sampler.choose(logits_BV, step)
        for row, token in zip(rows, next_B.tolist(), strict=True):
            if row not in limits:
                continue
            last, why = limits[row]
            stop: Stop | None = "end token" if token == end_id else why if step + 1 == last else None
            yield New(row, None if token == end_id else token, stop)
            if stop is not None:
                del limits[row]
        if not limits:
            return
        logits_BV = forward.append(next_B)
