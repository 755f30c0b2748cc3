"""Greedy generation with cached keys and values against a full forward pass per token, interleaved."""

import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import torch

from stacklab.model.generation.decode import generate
from stacklab.model.init import build
from stacklab.model.spec import ModelSpec
from stacklab.model.transformer import Transformer
from stacklab.run.environment import prepare_process
from stacklab.study.engines.machine import cores

PROMPT = (5, 6, 7, 8, 9)
WARM_UP_TOKENS = 10

STORIES = ModelSpec.model_validate(
    {
        "vocab_size": 50_257,
        "d_model": 768,
        "num_layers": 4,
        "num_heads": 12,
        "context_length": 2048,
        "window": [None, 256, None, 256],
        "activation": "gelu_tanh",
        "attention_scale": "none",
        "linear_bias": {"output": True, "feed_forward": True},
    }
)
"""GPT-Neo's architecture with 68,514,048 parameters."""


def run_bench(
    *, pairs: int = 3, tokens: int = 500, threads: int | None = None, spec: ModelSpec = STORIES
) -> dict[str, Any]:
    """Time `pairs` generations of `tokens` tokens each way in turn, untrained, after a warm-up that is not counted."""
    threads = threads or cores()
    prepare_process(threads)
    model = build(spec, seed=0)
    ways: dict[str, Callable[[Transformer, int], list[int]]] = {"cached": cached, "recomputed": recomputed}
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
    for number in range(pairs + 1):
        count = tokens if number else WARM_UP_TOKENS
        ids = {}
        for name in sorted(ways, reverse=number % 2 == 0):
            began, began_cpu = time.perf_counter(), time.process_time()
            ids[name] = ways[name](model, count)
            spent = {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - began_cpu}
            rows[name] += [spent] if number else []
        # Rounding may decide between two nearly equal logits, after which the texts differ.
        same = sum(one == other for one, other in zip(*ids.values(), strict=True))
        what = f"pair {number}/{pairs}" if number else "warm-up"
        sys.stderr.write(f"{what}: {same} of {count} ids equal\n")
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    sizes = {"pairs": pairs, "tokens": tokens, "threads": threads, "load": load, "spec": spec.dump()}
    return sizes | {"parameters": sum(one.numel() for one in model.parameters())} | summarise(rows, tokens)


def summarise(rows: dict[str, list[dict[str, float]]], tokens: int) -> dict[str, Any]:
    """Medians over the pairs. cpu_ratio: by processor time, which other programs on the machine distort less."""
    pairs = list(zip(rows["cached"], rows["recomputed"], strict=True))
    ratios = {key: [other[key] / own[key] for own, other in pairs] for key in ("seconds", "cpu_seconds")}
    rates = {name: tokens / statistics.median(row["seconds"] for row in timed) for name, timed in rows.items()}
    return {
        "speed_ratio": statistics.median(ratios["seconds"]),
        "cpu_ratio": statistics.median(ratios["cpu_seconds"]),
        "ratios": ratios,
        "tokens_per_second": rates,
    }


def render(result: dict[str, Any]) -> str:
    """The results as text: ratios first, since absolute times vary with the load of the machine."""
    wall, cpu = (f"{min(values):.1f} to {max(values):.1f}" for values in result["ratios"].values())
    rates = result["tokens_per_second"]
    return (
        f"medians of {result['pairs']} interleaved pairs of {result['tokens']} tokens, {result['parameters']:,} "
        f"parameters, {result['threads']} threads\n"
        f"tokens per second with the cache over without: {result['speed_ratio']:.1f} ({wall})\n"
        f"per second of processor time: {result['cpu_ratio']:.1f} ({cpu})\n"
        f"tokens per second: {rates['cached']:.1f} against {rates['recomputed']:.1f}"
    )


def cached(model: Transformer, tokens: int) -> list[int]:
    """The ids after PROMPT as `stacklab generate` computes them."""
    return generate(model, [PROMPT], max_tokens=tokens)[0].ids


@torch.inference_mode()
def recomputed(model: Transformer, tokens: int) -> list[int]:
    """The same ids from full forward passes, with the head at the last position only, as in any such loop."""
    ids = list(PROMPT)
    for _ in range(tokens):
        hidden_BTD = model(torch.tensor([ids]))
        ids.append(int(model.logits(hidden_BTD[:, -1]).argmax()))
    return ids[len(PROMPT) :]
